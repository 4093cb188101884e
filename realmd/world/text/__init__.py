"""What is done to the text of others before it is kept: made visible, rid of secrets, told apart."""
