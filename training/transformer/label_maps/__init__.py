"""Label maps in training: all that data sets of categories, things and styles have of their own."""
