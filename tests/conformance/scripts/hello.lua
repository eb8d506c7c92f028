stream:write("hello " .. (argv[1] or "world"))
