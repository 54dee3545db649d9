# shellcheck shell=bash
# Zeroes by every way there is; only where the caller allows it is it freed (8 s)
demo_start --size 64M
random_file ref $((32 << 20))

# zeroes NAME FREES COMMAND...: the middle 16 MiB of 32 read as zeroes
zeroes() {
	local name=$1 frees=$2 before after reqs
	shift 2
	dd if=ref of="$DEV" bs=1M oflag=direct status=none || fail "write"
	before=$(disk_kb)
	reqs=$(stat_of .ops.WRITE_ZEROES.reqs)
	"$@" || fail "$name: $*"
	after=$(disk_kb)
	[ "$(stat_of .ops.WRITE_ZEROES.reqs)" -gt "$reqs" ] ||
		fail "$name: no WRITE_ZEROES came"
	note "$name: $before -> $after kB"
	blockdev --flushbufs "$DEV"
	cmp -n $((8 << 20)) ref "$DEV" || fail "$name: before it"
	cmp -i $((8 << 20)):0 -n $((16 << 20)) "$DEV" /dev/zero ||
		fail "$name: not zero"
	cmp -n $((8 << 20)) -i $((24 << 20)) ref "$DEV" || fail "$name: after it"
	case $frees in
	yes) freed $((14 << 10)) "$before" "$after" ||
		fail "$name: did not free: $before -> $after kB" ;;
	no) freed $((-2 << 10)) "$after" "$before" ||
		fail "$name: freed although NOUNMAP: $before -> $after kB" ;;
	esac
}

range=(-o $((8 << 20)) -l $((16 << 20)))
# BLKZEROOUT and FALLOC_FL_ZERO_RANGE say NOUNMAP, PUNCH_HOLE does not.
zeroes "blkdiscard -z" no blkdiscard -z "${range[@]}" "$DEV"
zeroes "fallocate -z" no fallocate -z -n "${range[@]}" "$DEV"
zeroes "fallocate -p" yes fallocate -p "${range[@]}" "$DEV"
demo_stop
