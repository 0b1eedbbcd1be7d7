"""How architectures are chosen, by gradient and by evolution, and exact selection under bounds."""
