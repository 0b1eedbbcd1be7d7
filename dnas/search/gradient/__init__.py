"""The differentiable search: masks, relaxation, objective, schedules, and what alpha says in the end."""
