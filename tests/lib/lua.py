"""Python values as Lua text, for configurations."""


class Raw(str):
    """Lua text that is put in as it is."""


def lua(value, depth=0):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        out = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return '"%s"' % out
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        rows = ["%s[%s] = %s,\n" % (inner, lua(str(k)), lua(v, depth + 1)) for k, v in value.items() if v is not None]
    else:
        rows = ["%s%s,\n" % (inner, lua(v, depth + 1)) for v in value]
    return "{\n%s%s}" % ("".join(rows), "  " * depth)


def merge(base, changes):
    """base with changes; tables are merged, everything else replaced; None removes a key."""
    out = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out
