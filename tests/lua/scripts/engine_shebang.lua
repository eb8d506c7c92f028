#!/usr/bin/lua
out("line " .. debug.getinfo(1, "l").currentline)
