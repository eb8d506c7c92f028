/* privileges.c: see privileges.h and capabilities(7). */
#include "supervisor/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/folder.h"

#define FILES_WANTED    262144 /* two RTP sockets a slot, for the most slots */
#define PRIORITY_WANTED 20

static bool low(int64_t port) { return port > 0 && port < 1024; }

static bool wants_low_port(const struct config_node *config)
{
    const struct config_node *listen = config_get(config, "sip.listen");
    for (size_t i = 0; i < config_count(listen); i++)
        if (low(config_int(config_child(listen, i), "port", 5060))) return true;
    return low(config_int(config, "event_socket.port", 0)) || low(config_int(config, "http.port", 0));
}

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    int entries = 0;
    while (folder && entries < 3 && readdir(folder)) entries++;
    if (folder) closedir(folder);
    return folder && entries <= 2; /* "." and ".." */
}

/* What has something of somebody's in it is theirs to give. */
static int folder_give(const char *path, const struct passwd *user, struct buf *error)
{
    struct stat st;
    int rc = folder_make(path);
    if (rc == 0 && stat(path, &st) == 0 && st.st_uid == 0 && is_empty(path) && chown(path, user->pw_uid, user->pw_gid) < 0) rc = -errno;
    if (rc < 0) buf_printf(error, "%s cannot be made for the user %s: %s", path, user->pw_name, strerror(-rc));
    return rc;
}

static void limit_raise(__rlimit_resource_t resource, rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_max >= wanted) return;
    limit = (struct rlimit) { wanted, wanted };
    (void)setrlimit(resource, &limit); /* a container may forbid it; whoever lacks it later says so */
}

/* The capabilities that stay, in all sets that let children keep them across exec. */
static int capabilities_keep(const cap_value_t *keep, int count)
{
    cap_t caps = cap_init();
    bool set = caps && cap_set_flag(caps, CAP_PERMITTED, count, keep, CAP_SET) == 0 &&
               cap_set_flag(caps, CAP_EFFECTIVE, count, keep, CAP_SET) == 0 &&
               cap_set_flag(caps, CAP_INHERITABLE, count, keep, CAP_SET) == 0 && cap_set_proc(caps) == 0;
    int rc = set ? 0 : -errno;
    cap_free(caps);
    for (int i = 0; rc == 0 && i < count; i++)
        if (cap_set_ambient(keep[i], CAP_SET) < 0) rc = -errno;
    return rc;
}

static void bounding_drop(const cap_value_t *keep, int count)
{
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
        bool kept = false;
        for (int i = 0; i < count; i++) kept = kept || keep[i] == cap;
        if (!kept) cap_drop_bound(cap);
    }
}

/* What root itself may not do (in a container without CAP_SYS_NICE) cannot be kept; the media threads then run at normal priority. */
static int still_had(cap_value_t *keep, int count)
{
    int had = 0;
    for (int i = 0; i < count; i++) {
        cap_flag_value_t value = CAP_CLEAR;
        cap_t caps = cap_get_proc();
        if (caps && cap_get_flag(caps, keep[i], CAP_PERMITTED, &value) == 0 && value == CAP_SET) keep[had++] = keep[i];
        cap_free(caps);
    }
    return had;
}

static int become(const struct passwd *user, bool low_port)
{
    cap_value_t keep[] = { CAP_SYS_NICE, CAP_NET_BIND_SERVICE };
    int count = still_had(keep, low_port ? 2 : 1);
    bounding_drop(keep, count);
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || initgroups(user->pw_name, user->pw_gid) < 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 || setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return -errno;
    int rc = capabilities_keep(keep, count);
    if (rc == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)) rc = -errno;
    return rc;
}

int privileges_drop(const struct config_node *config, struct buf *error)
{
    const char *name = config_str(config, "user", NULL);
    const struct passwd *user = name ? getpwnam(name) : NULL;
    if (name == NULL) return 0;
    if (user == NULL)
        return buf_printf(error, "user: there is no user \"%s\" on this machine; make one: useradd --system %s", name, name), -ENOENT;
    if (geteuid() == user->pw_uid) return 0;
    if (geteuid() != 0)
        return buf_printf(error, "user: only root can become \"%s\"; start it as root or as that user, or leave `user` out", name), -EPERM;
    int rc = folder_give(config_str(config, "data_dir", "data"), user, error);
    if (rc == 0) rc = folder_give(config_str(config, "run_dir", "run"), user, error);
    if (rc < 0) return rc;
    limit_raise(RLIMIT_NOFILE, FILES_WANTED);
    limit_raise(RLIMIT_MEMLOCK, RLIM_INFINITY);
    limit_raise(RLIMIT_RTPRIO, PRIORITY_WANTED);
    rc = become(user, wants_low_port(config));
    if (rc < 0) buf_printf(error, "user: cannot become \"%s\": %s", name, strerror(-rc));
    return rc;
}
