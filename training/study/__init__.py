"""The claims of the VAR paper, tested on small networks and endless scenes."""
