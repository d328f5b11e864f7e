"""Exit codes of all commands."""

EXIT_BAD_INPUT = 2  # the command line, a value or a file that was given is wrong
EXIT_NO_OUTPUT = 3  # the output cannot be written
EXIT_PORT_IN_USE = 4  # the page cannot listen there
EXIT_NO_MEMORY = 5  # this machine or its GPU has too little memory
EXIT_INTERRUPTED = 130  # Ctrl-C, as shells count it
EXIT_CLOSED_PIPE = 141  # nobody reads the output, as shells count it
