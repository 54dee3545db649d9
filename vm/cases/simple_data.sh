# shellcheck shell=bash
# What is written is what is read, buffered and O_DIRECT (5 s)
# tag: simple
demo_start --size 64M
random_file ref $((16 << 20))
dd if=ref of="$DEV" bs=1M oflag=direct status=none || fail "direct write"
same ref || fail "direct write, buffered read"
random_file ref $((8 << 20)) 2
dd if=ref of="$DEV" bs=64k conv=fsync status=none || fail "buffered write"
dd if="$DEV" bs=1M count=8 iflag=direct status=none | cmp - ref ||
	fail "buffered write, direct read"
demo_stop
