"""How architectures are chosen: masks, objectives, schedules and exact selection under bounds."""
