//! String preparation for matching (RFC 4518): transcode, map, normalise, prohibit, insignificant characters.
