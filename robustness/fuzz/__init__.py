"""Whatever bytes a parser is given: no crash, no hang, little memory, one line of our own."""
