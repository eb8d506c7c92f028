//! Carillon's build.  Steps (zig build STEP):
//!
//!   build       (default) the engine `carillon`, the carrier simulator, and the benches → zig-out/bin
//!   test        C unit tests of all rooms        test-ROOM   of one room (core, bus, media, lua, …)
//!   test-asan   the same under ASan and UBSan (Debian's clang)
//!   fuzz        fuzzers (libFuzzer, Debian's clang) → zig-out/fuzz
//!   bench       the benchmark programs → zig-out/bench
//!   cdb         compile_commands.json for editors and clang-tidy
//!   lint        clang-format and clang-tidy over our own files
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
};

/// From the bottom to the top. This table is the architecture's who-may-know-whom; tests/layers_test.py holds includes to it.
const rooms = [_]Room{
    .{ .name = "core", .packages = &.{"luajit"} },
    .{ .name = "bus", .uses = &.{"core"} },
    .{ .name = "store", .uses = &.{"core"}, .packages = &.{ "libpq", "sqlite3" }, .libraries = &.{"odbc"} },
    .{ .name = "media", .uses = &.{"core"}, .packages = &.{ "opus", "libsrtp2", "spandsp", "speexdsp", "sndfile" }, .libraries = &.{ "bcg729", "flite", "flite_cmu_us_slt", "flite_usenglish", "flite_cmulex" } },
    .{ .name = "lua", .uses = &.{ "core", "bus", "store" }, .packages = &.{ "luajit", "libpcre2-8", "expat", "libcurl" } },
    .{ .name = "campaign", .uses = &.{ "core", "bus", "store" }, .packages = &.{ "luajit", "sqlite3", "libpq" } },
    .{ .name = "worker", .uses = &.{ "core", "bus", "media", "lua", "store" }, .packages = &.{ "liburing", "luajit" } },
    .{ .name = "broker", .uses = &.{ "core", "bus", "campaign", "store" }, .packages = &.{"sofia-sip-ua"} },
    .{ .name = "control", .uses = &.{ "core", "bus" } },
    .{ .name = "supervisor", .uses = &.{ "core", "bus" } },
    .{ .name = "main", .uses = &.{ "core", "bus", "store", "media", "lua", "campaign", "worker", "broker", "control", "supervisor" } },
};

fn roomNamed(name: []const u8) Room {
    for (rooms) |room| if (std.mem.eql(u8, room.name, name)) return room;
    @panic("unknown room");
}

const Build = struct {
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,

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

    fn module(self: Build, room_name: []const u8) *std.Build.Module {
        const b = self.b;
        const m = b.createModule(.{ .target = self.target, .optimize = self.optimize, .link_libc = true });
        m.addIncludePath(b.path("src"));
        m.addCMacro("ROOM", b.fmt("\"{s}\"", .{room_name}));
        return m;
    }

    fn packages(self: Build, m: *std.Build.Module, room: Room) void {
        _ = self;
        for (room.packages) |p| m.linkSystemLibrary(p, .{ .use_pkg_config = .force });
        for (room.libraries) |l| m.linkSystemLibrary(l, .{ .use_pkg_config = .no });
    }
};

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{
        .default_target = if (@import("builtin").cpu.arch == .x86_64)
            .{ .cpu_model = .{ .explicit = &std.Target.x86.cpu.x86_64_v3 } }
        else
            .{},
    });
    const optimize = b.standardOptimizeOption(.{ .preferred_optimize_mode = .ReleaseFast });
    const self = Build{ .b = b, .target = target, .optimize = if (b.user_input_options.contains("optimize") or b.user_input_options.contains("release")) optimize else .ReleaseFast };

    // Lua sources of the script engine, as one C array each (src/lua/fs/*.lua → embedded.c by src/lua/embed.py's zig twin).
    var libs = std.StringHashMap(*std.Build.Step.Compile).init(b.allocator);
    const test_all = b.step("test", "C unit tests of all rooms");

    inline for (rooms) |room| {
        const sources = self.files("src/" ++ room.name, ".c", null);
        const m = self.module(room.name);
        m.addCSourceFiles(.{ .files = sources, .flags = &warnings });
        self.packages(m, room);
        for (embedded(self, room.name)) |source| m.addCSourceFile(.{ .file = source, .flags = &warnings });
        if (std.mem.eql(u8, room.name, "main")) {
            for (rooms) |other| if (libs.get(other.name)) |lib| m.linkLibrary(lib);
            m.linkSystemLibrary("jemalloc", .{ .use_pkg_config = .force });
            const exe = b.addExecutable(.{ .name = "carillon", .root_module = m });
            exe.rdynamic = true;
            if (sources.len > 0) b.installArtifact(exe);
        } else if (sources.len > 0) {
            const lib = b.addLibrary(.{ .name = "carillon_" ++ room.name, .root_module = m, .linkage = .static });
            libs.put(room.name, lib) catch @panic("OOM");
            b.step("lib-" ++ room.name, "The room " ++ room.name ++ " alone").dependOn(&lib.step);
        }
        const step = b.step("test-" ++ room.name, "C unit tests of " ++ room.name);
        for (self.files("tests/" ++ room.name, "_test.c", null)) |file| {
            const tm = self.module(room.name);
            tm.addCSourceFile(.{ .file = b.path(file), .flags = &warnings });
            for (self.files("tests/" ++ room.name, "_fake.c", null)) |fake| tm.addCSourceFile(.{ .file = b.path(fake), .flags = &warnings });
            tm.addIncludePath(b.path("tests"));
            if (libs.get(room.name)) |lib| tm.linkLibrary(lib);
            for (room.uses) |used| if (libs.get(used)) |lib| tm.linkLibrary(lib);
            tm.linkSystemLibrary("cmocka", .{ .use_pkg_config = .force });
            const stem = std.fs.path.stem(file);
            const exe = b.addExecutable(.{ .name = b.fmt("{s}-{s}", .{ room.name, stem }), .root_module = tm });
            const install = b.addInstallArtifact(exe, .{ .dest_dir = .{ .override = .{ .custom = "test" } } });
            const run = b.addRunArtifact(exe);
            run.setCwd(b.path("."));
            step.dependOn(&install.step);
            step.dependOn(&run.step);
        }
        test_all.dependOn(step);
    }

    const carrier_files = self.files("bench/carrier", ".c", null);
    if (carrier_files.len > 0) {
        const m = b.createModule(.{ .target = self.target, .optimize = self.optimize, .link_libc = true });
        m.addCSourceFiles(.{ .files = carrier_files, .flags = &warnings });
        m.linkSystemLibrary("m", .{ .use_pkg_config = .no });
        b.installArtifact(b.addExecutable(.{ .name = "carillon-carrier", .root_module = m }));
    }
}

/// src/ROOM/fs/*.lua as C: `const struct embedded_lua embedded_ROOM[]` (see src/lua/embedded.h).
fn embedded(self: Build, comptime room: []const u8) []std.Build.LazyPath {
    const b = self.b;
    const sources = self.files("src/" ++ room ++ "/fs", ".lua", null);
    if (sources.len == 0) return &.{};
    var text: std.ArrayList(u8) = .empty;
    const out = &text;
    const a = b.allocator;
    out.appendSlice(a, "#include \"" ++ room ++ "/embedded.h\"\n") catch @panic("OOM");
    var table: std.ArrayList(u8) = .empty;
    for (sources, 0..) |path, i| {
        const io = b.graph.io;
        const bytes = b.build_root.handle.readFileAlloc(io, path, a, .limited(4 << 20)) catch @panic("cannot read a Lua source");
        out.appendSlice(a, b.fmt("static const unsigned char source_{d}[] = {{", .{i})) catch @panic("OOM");
        for (bytes, 0..) |byte, n| {
            if (n % 24 == 0) out.append(a, '\n') catch @panic("OOM");
            out.appendSlice(a, b.fmt("{d},", .{byte})) catch @panic("OOM");
        }
        out.appendSlice(a, "0};\n") catch @panic("OOM");
        table.appendSlice(a, b.fmt("    {{\"{s}\", (const char *)source_{d}, {d}}},\n", .{ std.fs.path.stem(path), i, bytes.len })) catch @panic("OOM");
    }
    out.appendSlice(a, "const struct embedded_lua embedded_" ++ room ++ "[] = {\n") catch @panic("OOM");
    out.appendSlice(a, table.items) catch @panic("OOM");
    out.appendSlice(a, "    {0, 0, 0}};\n") catch @panic("OOM");
    const wf = b.addWriteFiles();
    const file = wf.add("embedded_" ++ room ++ ".c", text.items);
    const list = b.allocator.alloc(std.Build.LazyPath, 1) catch @panic("OOM");
    list[0] = file;
    return list;
}
