"""How well settings of style transfer paint, judged by networks that do not paint, and by eye."""
