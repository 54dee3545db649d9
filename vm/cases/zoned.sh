# shellcheck shell=bash
# A zoned memory disk: blkzone, fio by zones with verify, limits, upgrade, recovery (15 s)
# timeout: 180
has_feature ZONED || skip "this kernel's ublk has no zones"

# zone N: "COND WP" of it, the write pointer within the zone, in sectors
zone() {
	blkzone report -o $(($1 * zone)) -c 1 "$DEV" |
		sed -n 's/.*wptr 0x\([0-9a-f]*\) .*zcond: *\([0-9]*\)(.*/\2 \1/p'
}

# is N COND WP: the zone is so
is() {
	local got
	got=$(zone "$1")
	[ "$got" = "$2 $3" ] || fail "zone $1 is '$got', not '$2 $3'"
}

# put N AT COUNT: so many blocks of 4 KiB to the zone
put() {
	dd if=/dev/urandom of="$DEV" bs=4k seek=$(($1 * zone / 8 + $2)) \
		count="$3" oflag=direct conv=notrunc status=none 2>dd.err
}

zone=$(((4 << 20) / 512))
mem=/dev/shm/zoned.$$
trap 'rm -f "$mem"' EXIT
demo_start --size 128M --memory-file "$mem" --zone-size 4M --zone-capacity 3M \
	--max-open-zones 4 --max-active-zones 6 --conventional-zones 2 \
	--recovery reissue
SOCK=$DEMO_SOCK
q=/sys/block/${DEV#/dev/}/queue
[ "$(cat "$q/zoned")" = host-managed ] || fail "zoned: $(cat "$q/zoned")"
[ "$(cat "$q/nr_zones")" = 32 ] || fail "nr_zones: $(cat "$q/nr_zones")"
[ "$(cat "$q/max_open_zones") $(cat "$q/max_active_zones")" = "4 6" ] ||
	fail "limits: $(cat "$q/max_open_zones" "$q/max_active_zones")"
[ "$(cat "$q/zone_append_max_bytes")" -gt 0 ] || fail "no appends"
[ "$(blkzone report "$DEV" | wc -l)" = 32 ] || fail "blkzone report"
[ "$(blkzone report "$DEV" | grep -c 'CONVENTIONAL')" = 2 ] || fail "conventional"

note "what blkzone does"
is 3 1 000000
put 3 0 2 || fail "write: $(cat dd.err)"
is 3 2 000010
! put 3 5 1 || fail "a write that is not at the write pointer succeeds"
is 3 2 000010
blkzone close -o $((3 * zone)) -c 1 "$DEV" || fail "close"
is 3 4 000010
blkzone open -o $((3 * zone)) -c 1 "$DEV" || fail "open"
is 3 3 000010
blkzone finish -o $((3 * zone)) -c 1 "$DEV" || fail "finish"
is 3 14 002000
! put 3 2 1 || fail "a write to a full zone succeeds"
blkzone reset -o $((3 * zone)) -c 1 "$DEV" || fail "reset"
is 3 1 000000
put 0 7 3 || fail "a conventional zone: $(cat dd.err)"

note "no more active zones than may be"
for n in 4 5 6 7 8 9; do
	put $n 0 1 || fail "zone $n: $(cat dd.err)"
done
! put 10 0 1 || fail "a seventh active zone"
is 9 2 000008
[ "$(blkzone report "$DEV" | grep -c 'zcond: 4(cl)')" = 2 ] ||
	fail "not two that were closed: $(blkzone report "$DEV")"

note "upgraded and killed it has the zones it had"
random_file ref 8192
dd if=ref of="$DEV" bs=4k seek=$((9 * zone / 8 + 1)) oflag=direct \
	conv=notrunc status=none || fail "write"
blkzone report "$DEV" >before
old=$DEMO_PID
DEMO_PLAIN=1 demo_start --take-over "$SOCK"
DEMO_SOCK=$SOCK
wait_for 10 dead "$old" || fail "the old server does not end"
blkzone report "$DEV" | cmp - before || fail "zones after an upgrade"
demo_kill
DEMO_PLAIN=1 demo_start --recover "$ID"
DEMO_SOCK=$SOCK
blkzone report "$DEV" | cmp - before || fail "zones after a recovery"
dd if="$DEV" of=back bs=4k skip=$((9 * zone / 8 + 1)) count=2 iflag=direct \
	status=none
cmp ref back || fail "data after a recovery"
put 9 3 1 || fail "write after a recovery: $(cat dd.err)"
blkzone reset "$DEV" -o $((2 * zone)) || fail "reset all"
[ "$(blkzone report "$DEV" | grep -c 'zcond: 1(em)')" = 30 ] || fail "reset all"

note "fio by zones"
fio_run zbd --zonemode=zbd --offset=$((2 * zone * 512)) --rw=randwrite \
	--bs=64k --iodepth=8 --size=60m --max_open_zones=4 --verify=crc32c \
	--do_verify=1
demo_stop

note "in a file, whose holes are the zones' states"
demo_start --size 64M --file "$PWD/zimg" --zone-size 4M --recovery reissue
SOCK=$DEMO_SOCK
put 3 0 5 || fail "write: $(cat dd.err)"
put 4 0 512 || fail "write of a zone's half: $(cat dd.err)"
put 5 0 1 && blkzone finish -o $((5 * zone)) -c 1 "$DEV" || fail "finish"
put 6 0 2 && blkzone reset -o $((6 * zone)) -c 1 "$DEV" || fail "reset"
! put 3 0 1 || fail "a write that is not at the write pointer succeeds"
is 3 2 000028
demo_kill
DEMO_PLAIN=1 demo_start --recover "$ID"
DEMO_SOCK=$SOCK
is 3 4 000028
is 4 4 001000
is 5 14 002000
is 6 1 000000
put 3 5 1 || fail "write after a recovery: $(cat dd.err)"
before=$(stat -c %b zimg)
blkzone reset "$DEV" || fail "reset all"
[ $((before - $(stat -c %b zimg))) -ge 4096 ] || fail "a reset frees nothing"
cmp -n $((64 << 20)) "$DEV" /dev/zero || fail "something is left"
demo_stop
