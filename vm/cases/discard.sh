# shellcheck shell=bash
# Discard frees what it took and reads back zeroes; its neighbours stay (8 s)
demo_start --size 64M
random_file ref $((64 << 20))
dd if=ref of="$DEV" bs=1M oflag=direct status=none || fail "write"
full=$(disk_kb)
note "what is there with 64 MiB written: $full kB"

note "part of it, at borders that are no page's"
blkdiscard -o $((4 << 20 | 512)) -l $((8 << 20)) "$DEV" || fail "blkdiscard"
# Before anything is read: requests' buffers count as well.
part=$(disk_kb)
freed $((7 << 10)) "$full" "$part" || fail "8 MiB discarded: $part kB"
blockdev --flushbufs "$DEV"
cmp -n $((4 << 20 | 512)) ref "$DEV" || fail "what lies before has changed"
skip=$(((12 << 20) + 4096))
cmp -i $skip ref "$DEV" || fail "what lies behind has changed"
# Whole pages read as zeroes; parts of a page may be kept.
cmp -i $((4 << 20 | 4096)):0 -n $(((8 << 20) - 8192)) "$DEV" /dev/zero ||
	fail "what was discarded is not zero"

note "all of it"
before=$(disk_kb)
blkdiscard -f "$DEV" || fail "blkdiscard"
none=$(disk_kb)
note "what is there after that: $none kB"
freed $((54 << 10)) "$before" "$none" ||
	fail "64 MiB discarded: $before -> $none kB"
blockdev --flushbufs "$DEV"
cmp -n $((64 << 20)) "$DEV" /dev/zero || fail "not zero"
[ "$(stat_of .ops.DISCARD.bytes)" -ge $((64 << 20)) ] || fail "not counted"
# Reading a hole does not fill it. Where it is memory, the buffers have been touched before.
again=$(disk_kb)
freed $((-8 << 10)) "$none" "$again" ||
	fail "reading holes took room: $none -> $again kB"
demo_stop
