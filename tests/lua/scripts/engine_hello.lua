out(argv[0], #argv, "main")
