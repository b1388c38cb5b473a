"""HTTP bodies of messaging, and the one JSON shape of a change that the feed and the sockets share."""
