"""How each process type is to run: the tables [process.NAME]."""
