"""How each class is drawn, several classes to a module. Importing a module registers its classes."""
