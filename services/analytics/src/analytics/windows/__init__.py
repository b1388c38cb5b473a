"""The window library: events in, what they add to which window out; pure, and the same for any order and any split of them."""
