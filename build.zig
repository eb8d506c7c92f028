//! Carillon's build.  Steps (zig build STEP):
//!
//!   build       (default) the engine `carillon` and the carrier simulator → zig-out/bin
//!   test        C unit tests of all rooms        test-ROOM   of one room (core, bus, media, lua, …)
//!   test-asan   the same under ASan and UBSan (Debian's clang)
//!   tests       builds them into zig-out/test without running them (tests-asan → zig-out/test-asan); also tests-ROOM
//!   asan        the engine itself under ASan and UBSan → zig-out/asan (for the Python tests: CARILLON_BIN_DIR=zig-out/asan)
//!   fuzz        fuzzers tests/fuzz/ROOM_NAME_fuzz.c (libFuzzer, Debian's clang) → zig-out/fuzz
//!   bench       the benchmark programs bench/NAME → zig-out/bin/bench-NAME
//!   lib-ROOM    a room alone, to see whether it compiles
//!   cdb         compile_commands.json for editors and clang-tidy
//!   lint        clang-format over our own files
//!
//! -Doptimize=Debug|ReleaseSafe|ReleaseFast (default).
//!
//! A room is a folder of src/; each becomes a static library of all its *.c files. A unit test is a file
//! tests/ROOM/NAME_test.c: it becomes a program of its own, linked with its room and those below it.
const std = @import("std");

const zig_version = "0.16.0";
comptime {
    if (!std.mem.eql(u8, @import("builtin").zig_version_string, zig_version))
        @compileError("Carillon is built with Zig " ++ zig_version ++ "; `./run build` gets it.");
}

const warnings = [_][]const u8{
    "-std=gnu17", "-D_GNU_SOURCE", "-Wall",      "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror",
    "-Wno-unused-parameter", "-fno-omit-frame-pointer", "-g", "-pthread",
};

/// A room: its folder under src/, the rooms it may use (and is linked with), and its system libraries by pkg-config name.
const Room = struct {
    name: []const u8,
    uses: []const []const u8 = &.{},
    packages: []const []const u8 = &.{},
    libraries: []const []const u8 = &.{},
    /// Packages of which only the headers are wanted.
    headers: []const []const u8 = &.{},
};

/// From the bottom to the top. This table is the architecture's who-may-know-whom; tests/layers_test.py holds includes to it.
const rooms = [_]Room{
    .{ .name = "core", .packages = &.{"luajit"} },
    .{ .name = "bus", .uses = &.{"core"} },
    .{ .name = "store", .uses = &.{"core"}, .packages = &.{ "libpq", "sqlite3" }, .libraries = &.{"odbc"} },
    .{ .name = "media", .uses = &.{"core"}, .packages = &.{ "opus", "libsrtp2", "spandsp", "speexdsp", "sndfile" }, .libraries = &.{ "bcg729", "flite", "gsm" } },
    .{ .name = "lua", .uses = &.{ "core", "bus", "store" }, .packages = &.{ "luajit", "libpcre2-8", "expat", "libcurl" } },
    .{ .name = "esl", .headers = &.{"luajit"} }, // a module for plain Lua, which the engine does not contain
    .{ .name = "campaign", .uses = &.{ "core", "bus", "store" }, .packages = &.{ "luajit", "sqlite3", "libpq" } },
    .{ .name = "worker", .uses = &.{ "core", "bus", "media", "lua", "store" }, .packages = &.{ "liburing", "luajit" } },
    .{ .name = "registrar", .uses = &.{ "core", "store" }, .packages = &.{"libcrypto"} },
    .{ .name = "broker", .uses = &.{ "core", "bus", "campaign", "registrar", "store" }, .packages = &.{"sofia-sip-ua"} },
    .{ .name = "control", .uses = &.{ "core", "bus" }, .packages = &.{"libmicrohttpd"} },
    .{ .name = "supervisor", .uses = &.{ "core", "bus" }, .packages = &.{"libcap"} },
    .{ .name = "main", .uses = &.{ "core", "bus", "store", "media", "lua", "campaign", "worker", "registrar", "broker", "control", "supervisor" }, .packages = &.{"libedit"} },
};

fn roomNamed(name: []const u8) Room {
    for (rooms) |room| if (std.mem.eql(u8, room.name, name)) return room;
    @panic("unknown room");
}

const Build = struct {
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    /// Compiler flags by room, so that pkg-config is asked once.
    room_flags: *std.StringHashMap([]const []const u8),

    fn files(self: Build, folder: []const u8, suffix: []const u8, without: ?[]const u8) [][]const u8 {
        const b = self.b;
        const io = b.graph.io;
        var list: std.ArrayList([]const u8) = .empty;
        var dir = b.build_root.handle.openDir(io, folder, .{ .iterate = true }) catch return &.{};
        defer dir.close(io);
        var it = dir.iterate();
        while (it.next(io) catch null) |entry| {
            if (entry.kind != .file or !std.mem.endsWith(u8, entry.name, suffix)) continue;
            if (without) |w| if (std.mem.endsWith(u8, entry.name, w)) continue;
            list.append(b.allocator, b.fmt("{s}/{s}", .{ folder, entry.name })) catch @panic("OOM");
        }
        std.mem.sort([]const u8, list.items, {}, struct {
            fn less(_: void, x: []const u8, y: []const u8) bool {
                return std.mem.lessThan(u8, x, y);
            }
        }.less);
        return list.items;
    }

    fn folders(self: Build, folder: []const u8) [][]const u8 {
        const b = self.b;
        const io = b.graph.io;
        var list: std.ArrayList([]const u8) = .empty;
        var dir = b.build_root.handle.openDir(io, folder, .{ .iterate = true }) catch return &.{};
        defer dir.close(io);
        var it = dir.iterate();
        while (it.next(io) catch null) |entry|
            if (entry.kind == .directory) list.append(b.allocator, b.dupe(entry.name)) catch @panic("OOM");
        return list.items;
    }

    fn module(self: Build, room_name: []const u8) *std.Build.Module {
        const b = self.b;
        const m = b.createModule(.{ .target = self.target, .optimize = self.optimize, .link_libc = true });
        m.addIncludePath(b.path("src"));
        m.addCMacro("ROOM", b.fmt("\"{s}\"", .{room_name}));
        return m;
    }

    /// The room's compiler flags: the warnings and what pkg-config says. Not by linkSystemLibrary: Zig would put the
    /// shared libraries' files into the room's archive.
    fn flags(self: Build, room: Room) []const []const u8 {
        const b = self.b;
        if (self.room_flags.get(room.name)) |found| return found;
        var list: std.ArrayList([]const u8) = .empty;
        list.appendSlice(b.allocator, &warnings) catch @panic("OOM");
        defer self.room_flags.put(room.name, list.items) catch @panic("OOM");
        if (std.mem.eql(u8, room.name, "esl")) list.appendSlice(b.allocator, &.{ "-fPIC", "-fvisibility=hidden" }) catch @panic("OOM");
        if (room.packages.len == 0 and room.headers.len == 0) return list.items;
        var argv: std.ArrayList([]const u8) = .empty;
        argv.appendSlice(b.allocator, &.{ "pkg-config", "--cflags" }) catch @panic("OOM");
        argv.appendSlice(b.allocator, room.packages) catch @panic("OOM");
        argv.appendSlice(b.allocator, room.headers) catch @panic("OOM");
        var code: u8 = 0;
        const text = b.runAllowFail(argv.items, &code, .inherit) catch {
            std.debug.print("pkg-config lacks a package of the room {s}; `./run build` installs what deploy/packages lists\n", .{room.name});
            std.process.exit(1);
        };
        var words = std.mem.tokenizeAny(u8, text, " \t\r\n");
        while (words.next()) |word| list.append(b.allocator, word) catch @panic("OOM");
        return list.items;
    }

    /// Links a room's archive and the libraries that it wants.
    fn link(self: Build, m: *std.Build.Module, libs: *std.StringHashMap(*std.Build.Step.Compile), room: Room) void {
        if (libs.get(room.name)) |lib| {
            m.linkLibrary(lib);
            self.packages(m, room);
        }
    }

    fn packages(self: Build, m: *std.Build.Module, room: Room) void {
        _ = self;
        for (room.packages) |p| m.linkSystemLibrary(p, .{ .use_pkg_config = .force });
        for (room.libraries) |l| m.linkSystemLibrary(l, .{ .use_pkg_config = .no });
    }
};

/// Benches: bench/NAME/*.c becomes zig-out/bin/bench-NAME, linked with all rooms; these want further packages.
const bench_packages = [_]struct { name: []const u8, package: []const u8 }{
    .{ .name = "ring", .package = "ck" },
};

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{
        .default_target = if (@import("builtin").cpu.arch == .x86_64)
            .{ .cpu_model = .{ .explicit = &std.Target.x86.cpu.x86_64_v3 } }
        else
            .{},
    });
    // ReleaseFast unless asked otherwise: an engine without optimisation cannot keep its 20 ms.
    const optimize = b.option(std.builtin.OptimizeMode, "optimize", "Debug, ReleaseSafe, ReleaseFast (default) or ReleaseSmall") orelse .ReleaseFast;
    var room_flags = std.StringHashMap([]const []const u8).init(b.allocator);
    const self = Build{ .b = b, .target = target, .optimize = optimize, .room_flags = &room_flags };

    var libs = std.StringHashMap(*std.Build.Step.Compile).init(b.allocator);
    const step_build = b.step("build", "The engine and the carrier simulator (default)");
    const step_test = b.step("test", "C unit tests of all rooms");
    const step_tests = b.step("tests", "The same programs, built into zig-out/test and not run");
    step_build.dependOn(b.getInstallStep());

    inline for (rooms) |room| {
        const sources = self.files("src/" ++ room.name, ".c", null);
        if (sources.len > 0) {
            const m = self.module(room.name);
            const flags = self.flags(room);
            m.addCSourceFiles(.{ .files = sources, .flags = flags });
            for (embedded(self, room.name)) |source| m.addCSourceFile(.{ .file = source, .flags = flags });
            if (std.mem.eql(u8, room.name, "main")) {
                for (rooms) |other| self.link(m, &libs, other);
                self.packages(m, room);
                // Only here: sanitizers and tests want the C library's own.
                m.linkSystemLibrary("jemalloc", .{ .use_pkg_config = .force });
                const exe = b.addExecutable(.{ .name = "carillon", .root_module = m });
                exe.rdynamic = false; // or a script's C module finds our functions under the names of its own
                b.installArtifact(exe);
            } else if (std.mem.eql(u8, room.name, "esl")) {
                // ESL.so for plain Lua → zig-out/lib/lua/5.1. Whoever loads it brings Lua's functions.
                const lib = b.addLibrary(.{ .name = "ESL", .root_module = m, .linkage = .dynamic });
                lib.linker_allow_shlib_undefined = true;
                const install = b.addInstallArtifact(lib, .{ .dest_dir = .{ .override = .{ .custom = "lib/lua/5.1" } }, .dest_sub_path = "ESL.so" });
                b.getInstallStep().dependOn(&install.step);
            } else {
                const lib = b.addLibrary(.{ .name = "carillon_" ++ room.name, .root_module = m, .linkage = .static });
                libs.put(room.name, lib) catch @panic("OOM");
                b.step("lib-" ++ room.name, "The room " ++ room.name ++ " alone").dependOn(&lib.step);
            }
        }
        const step = b.step("test-" ++ room.name, "C unit tests of " ++ room.name);
        const step_only = b.step("tests-" ++ room.name, "The same, built and not run");
        for (self.files("tests/" ++ room.name, "_test.c", null)) |file| {
            const m = self.module(room.name);
            m.addCSourceFile(.{ .file = b.path(file), .flags = &warnings });
            for (self.files("tests/" ++ room.name, "_fake.c", null)) |fake| m.addCSourceFile(.{ .file = b.path(fake), .flags = &warnings });
            m.addIncludePath(b.path("tests"));
            self.link(m, &libs, room);
            for (room.uses) |used| self.link(m, &libs, roomNamed(used));
            m.linkSystemLibrary("cmocka", .{ .use_pkg_config = .force });
            const exe = b.addExecutable(.{ .name = b.fmt("{s}-{s}", .{ room.name, std.fs.path.stem(file) }), .root_module = m });
            const install = b.addInstallArtifact(exe, .{ .dest_dir = .{ .override = .{ .custom = "test" } } });
            const run = b.addRunArtifact(exe);
            run.setCwd(b.path("."));
            step_only.dependOn(&install.step);
            step.dependOn(&install.step);
            step.dependOn(&run.step);
        }
        step_test.dependOn(step);
        step_tests.dependOn(step_only);
    }

    const carrier_files = self.files("bench/carrier", ".c", null);
    if (carrier_files.len > 0) {
        const m = self.module("carrier");
        m.addCSourceFiles(.{ .files = carrier_files, .flags = &warnings });
        m.linkSystemLibrary("m", .{ .use_pkg_config = .no });
        const carrier = b.addExecutable(.{ .name = "carillon-carrier", .root_module = m });
        b.installArtifact(carrier);
        // Beside the sanitized engine, where its tests look for it, too.
        b.getInstallStep().dependOn(&b.addInstallArtifact(carrier, .{ .dest_dir = .{ .override = .{ .custom = "asan" } } }).step);
    }
    benches(self, &libs);
    sanitized(self);
    database(self);
    lint(self);
}

fn benches(self: Build, libs: *std.StringHashMap(*std.Build.Step.Compile)) void {
    const b = self.b;
    const step = b.step("bench", "The benchmark programs, into zig-out/bin");
    for (self.folders("bench")) |name| {
        const sources = self.files(b.fmt("bench/{s}", .{name}), ".c", null);
        if (sources.len == 0 or std.mem.eql(u8, name, "carrier")) continue;
        const m = self.module("bench");
        m.addCSourceFiles(.{ .files = sources, .flags = &warnings });
        for (rooms) |room| self.link(m, libs, room);
        for (bench_packages) |extra| if (std.mem.eql(u8, extra.name, name)) m.linkSystemLibrary(extra.package, .{ .use_pkg_config = .force });
        const exe = b.addExecutable(.{ .name = b.fmt("bench-{s}", .{name}), .root_module = m });
        step.dependOn(&b.addInstallArtifact(exe, .{}).step);
    }
}

/// Zig ships no ASan and no libFuzzer, so these two are made by Debian's clang: one cached command per file.
fn sanitized(self: Build) void {
    const b = self.b;
    const step_run = b.step("test-asan", "C unit tests of all rooms under ASan and UBSan (Debian's clang)");
    const step_build = b.step("tests-asan", "The same programs, built into zig-out/test-asan and not run");
    const step_fuzz = b.step("fuzz", "Fuzzers (libFuzzer, Debian's clang), into zig-out/fuzz");
    var asan = Sanitizer{ .self = self, .flags = "-fsanitize=address,undefined", .objects = .init(b.allocator) };
    var fuzz = Sanitizer{ .self = self, .flags = "-fsanitize=address,undefined,fuzzer-no-link", .objects = .init(b.allocator) };
    const step_engine = b.step("asan", "The engine under ASan and UBSan, into zig-out/asan");
    step_engine.dependOn(&b.addInstallFile(asan.program(comptime roomNamed("main"), null, &.{}, "-fsanitize=address,undefined", ""), "asan/carillon").step);
    inline for (rooms) |room| {
        const step_only = b.step("tests-asan-" ++ room.name, "Of " ++ room.name);
        step_build.dependOn(step_only);
        for (self.files("tests/" ++ room.name, "_test.c", null)) |file| {
            const name = b.fmt("{s}-{s}", .{ room.name, std.fs.path.stem(file) });
            const exe = asan.program(room, file, self.files("tests/" ++ room.name, "_fake.c", null), "-fsanitize=address,undefined", "cmocka");
            step_only.dependOn(&b.addInstallFile(exe, b.fmt("test-asan/{s}", .{name})).step);
            const run = std.Build.Step.Run.create(b, b.fmt("asan {s}", .{name}));
            run.addFileArg(exe);
            run.setCwd(b.path("."));
            step_run.dependOn(&run.step);
        }
        for (self.files("tests/fuzz", "_fuzz.c", null)) |file| {
            if (!std.mem.startsWith(u8, std.fs.path.basename(file), room.name ++ "_")) continue;
            const exe = fuzz.program(room, file, &.{}, "-fsanitize=address,undefined,fuzzer", "");
            step_fuzz.dependOn(&b.addInstallFile(exe, b.fmt("fuzz/{s}", .{std.fs.path.stem(file)})).step);
        }
    }
}

const Sanitizer = struct {
    self: Build,
    flags: []const u8,
    /// By source path: a file is compiled once for all programs.
    objects: std.StringHashMap(std.Build.LazyPath),

    fn object(s: *Sanitizer, room: Room, label: []const u8, source: std.Build.LazyPath) std.Build.LazyPath {
        const b = s.self.b;
        if (s.objects.get(label)) |found| return found;
        const run = b.addSystemCommand(&.{ "sh", "-c" });
        run.addArg(b.fmt("exec clang {s} -fno-sanitize-recover=all -O1 -Isrc -Itests -DROOM='\"{s}\"' $(pkg-config --cflags luajit) \"$@\"", .{ s.flags, room.name }));
        run.addArg("clang");
        run.addArgs(s.self.flags(room));
        run.addArgs(&.{ "-MD", "-MF" });
        _ = run.addDepFileOutputArg("object.d");
        run.addArg("-o");
        const out = run.addOutputFileArg("object.o");
        run.addArg("-c");
        run.addFileArg(source);
        run.setCwd(b.path("."));
        s.objects.put(label, out) catch @panic("OOM");
        return out;
    }

    /// A room as an archive, so that a program takes only what it uses (and its fakes take the place of what they stand for).
    fn archive(s: *Sanitizer, comptime room: Room) ?std.Build.LazyPath {
        const b = s.self.b;
        const label = "archive " ++ room.name;
        if (s.objects.get(label)) |found| return found;
        const sources = s.self.files("src/" ++ room.name, ".c", null);
        if (sources.len == 0) return null;
        const run = b.addSystemCommand(&.{ "ar", "rcs" });
        const out = run.addOutputFileArg(b.fmt("lib{s}.a", .{room.name}));
        for (sources) |source| run.addFileArg(s.object(room, source, b.path(source)));
        for (embedded(s.self, room.name)) |source| run.addFileArg(s.object(room, "embedded " ++ room.name, source));
        s.objects.put(label, out) catch @panic("OOM");
        return out;
    }

    /// A test or fuzzer `file` with its room and those below it; without a file the room itself is the program.
    fn program(s: *Sanitizer, comptime room: Room, file: ?[]const u8, fakes: []const []const u8, link_flags: []const u8, package: []const u8) std.Build.LazyPath {
        const b = s.self.b;
        comptime var packages: []const u8 = "";
        comptime var libraries: []const u8 = "";
        inline for (rooms) |other| {
            if (comptime (std.mem.eql(u8, other.name, room.name) or contains(room.uses, other.name))) {
                inline for (other.packages) |p| packages = packages ++ " " ++ p;
                inline for (other.libraries) |l| libraries = libraries ++ " -l" ++ l;
            }
        }
        const run = b.addSystemCommand(&.{ "sh", "-c" });
        run.addArg(b.fmt("exec clang {s} -rdynamic \"$@\" $(pkg-config --libs {s} {s}) {s} -lm -pthread", .{ link_flags, packages, package, libraries }));
        run.addArg("clang");
        if (file) |f| run.addFileArg(s.object(room, f, b.path(f)));
        for (fakes) |fake| run.addFileArg(s.object(room, fake, b.path(fake)));
        run.addArg("-Wl,--start-group");
        inline for (rooms) |other| {
            if (comptime (std.mem.eql(u8, other.name, room.name) or contains(room.uses, other.name))) {
                if (s.archive(other)) |lib| run.addFileArg(lib);
            }
        }
        run.addArg("-Wl,--end-group");
        run.addArg("-o");
        return run.addOutputFileArg("program");
    }
};

fn contains(list: []const []const u8, name: []const u8) bool {
    for (list) |one| if (std.mem.eql(u8, one, name)) return true;
    return false;
}

/// compile_commands.json beside this file.
fn database(self: Build) void {
    const b = self.b;
    const root = b.build_root.path orelse ".";
    var text: std.ArrayList(u8) = .empty;
    text.appendSlice(b.allocator, "[") catch @panic("OOM");
    var first = true;
    for (rooms) |room| {
        for ([_][]const u8{ "src", "tests" }) |top| for (self.files(b.fmt("{s}/{s}", .{ top, room.name }), ".c", null)) |file| {
            var command: std.ArrayList(u8) = .empty;
            for (warnings) |flag| command.appendSlice(b.allocator, b.fmt("{s} ", .{flag})) catch @panic("OOM");
            text.appendSlice(b.allocator, b.fmt("{s}\n{{\"directory\": \"{s}\", \"file\": \"{s}\", \"command\": \"clang {s}-Isrc -Itests -I/usr/include/luajit-2.1 -I/usr/include/sofia-sip-1.12 -I/usr/include/postgresql -DROOM='\\\"{s}\\\"' -c {s}\"}}", .{ if (first) "" else ",", root, file, command.items, room.name, file })) catch @panic("OOM");
            first = false;
        };
    }
    text.appendSlice(b.allocator, "\n]\n") catch @panic("OOM");
    const update = b.addUpdateSourceFiles();
    update.addBytesToSource(text.items, "compile_commands.json");
    b.step("cdb", "compile_commands.json for editors and clang-tidy").dependOn(&update.step);
}

fn lint(self: Build) void {
    const b = self.b;
    const step = b.step("lint", "clang-format over our own files: what differs from .clang-format");
    const run = b.addSystemCommand(&.{ "clang-format", "--dry-run", "--Werror" });
    run.setCwd(b.path("."));
    for (rooms) |room| for ([_][]const u8{ "src", "tests" }) |top| for ([_][]const u8{ ".c", ".h" }) |suffix| {
        for (self.files(b.fmt("{s}/{s}", .{ top, room.name }), suffix, null)) |file| run.addFileArg(b.path(file));
    };
    step.dependOn(&run.step);
}

/// What lies in folders of a room and goes into the binary, as C: src/ROOM/fs/*.lua as `const struct embedded_lua embedded_ROOM[]`
/// (see src/lua/embedded.h), src/ROOM/web/* as `const struct embedded_web embedded_ROOM[]` (see src/control/embedded.h).
fn embedded(self: Build, comptime room: []const u8) []std.Build.LazyPath {
    if (comptime std.mem.eql(u8, room, "esl")) {
        var both = [_][]const u8{ "src/lua/fs/esl.lua", "src/lua/fs/event_types.lua" };
        return embeddedFiles(self, room, "lua", &both);
    }
    const lua = embeddedFiles(self, room, "lua", self.files("src/" ++ room ++ "/fs", ".lua", null));
    return if (lua.len > 0) lua else embeddedFiles(self, room, "web", self.files("src/" ++ room ++ "/web", "", null));
}

fn embeddedFiles(self: Build, comptime room: []const u8, comptime kind: []const u8, sources: [][]const u8) []std.Build.LazyPath {
    const b = self.b;
    if (sources.len == 0) return &.{};
    var text: std.ArrayList(u8) = .empty;
    const out = &text;
    const a = b.allocator;
    out.appendSlice(a, "#include \"" ++ room ++ "/embedded.h\"\n") catch @panic("OOM");
    var table: std.ArrayList(u8) = .empty;
    for (sources, 0..) |path, i| {
        const io = b.graph.io;
        const bytes = b.build_root.handle.readFileAlloc(io, path, a, .limited(4 << 20)) catch @panic("cannot read a source");
        out.appendSlice(a, b.fmt("static const unsigned char source_{d}[] = {{", .{i})) catch @panic("OOM");
        for (bytes, 0..) |byte, n| {
            if (n % 24 == 0) out.append(a, '\n') catch @panic("OOM");
            out.appendSlice(a, b.fmt("{d},", .{byte})) catch @panic("OOM");
        }
        out.appendSlice(a, "0};\n") catch @panic("OOM");
        table.appendSlice(a, b.fmt("    {{\"{s}\", (const char *)source_{d}, {d}}},\n", .{ if (std.mem.eql(u8, kind, "lua")) std.fs.path.stem(path) else std.fs.path.basename(path), i, bytes.len })) catch @panic("OOM");
    }
    out.appendSlice(a, "const struct embedded_" ++ kind ++ " embedded_" ++ room ++ "[] = {\n") catch @panic("OOM");
    out.appendSlice(a, table.items) catch @panic("OOM");
    out.appendSlice(a, "    {0, 0, 0}};\n") catch @panic("OOM");
    const wf = b.addWriteFiles();
    const file = wf.add("embedded_" ++ room ++ ".c", text.items);
    const list = b.allocator.alloc(std.Build.LazyPath, 1) catch @panic("OOM");
    list[0] = file;
    return list;
}
