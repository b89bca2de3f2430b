"""Files in, typed tables out: readers, types, keys, profiles, semantic labels."""
