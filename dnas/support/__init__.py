"""What any command may need and no search: files, devices, processes, extras, messages."""
