# shellcheck shell=bash
# run-cases removes all that a case leaves, says so, and the next case is none the worse (15 s)
vm=$1
mkdir -p vm/cases
cp "$vm"/{backing.sh,lib.sh,leftovers.sh,run-cases,splats} vm/
cat >vm/cases/1_leaves.sh <<'END'
mkdir /tmp/left.$$
demo_start --size 64M
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
demo_start --size 16M --no-broker
mkswap "$DEV" >/dev/null || fail "mkswap"
swapon "$DEV" || fail "swapon"
"$UBLK_EVDEMO" --daemon --size 16M || fail "--daemon"
hold_start --recovery 2 --file /dev/shm/left.$$
hold_live
[ ! -e /proc/sys/kernel/io_uring_disabled ] ||
	echo 2 >/proc/sys/kernel/io_uring_disabled
kill -STOP "$DEMO_PID"
END
cat >vm/cases/2_next.sh <<'END'
! compgen -G '/dev/ublkc[0-9]*' || fail "a device is left"
! compgen -G '/tmp/left.*' || fail "a directory is left"
! compgen -G '/dev/shm/left.*' || fail "a file is left"
no_broker || fail "a broker is left"
demo_start --size 64M
demo_stop
END
cat >vm/cases/3_file.sh <<'END'
demo_start --size 16M
demo_stop
mkdir /tmp/left.$$
END
! TMPDIR=$PWD bash vm/run-cases >out 2>&1 || fail "leaving things is no failure: $(cat out)"
cat out
grep -q '^ok 2_next ' out || fail "the next case suffers"
grep -q '^ok 3_file ' out || fail "a file that is left is a failure"
! compgen -G '/tmp/left.*' || fail "the file is still there"
left=$(grep '^FAIL 1_leaves .*left behind, and removed:' out) ||
	fail "not told, or not removed"
[ "$(grep -o ' /dev/ublkc[0-9]' <<<"$left" | wc -l)" = 4 ] ||
	fail "not four devices are told"
for what in 'swap on /dev/ublkb' 'mount .*/mnt ' 'ublk-evdemo\[' \
	'ublkev-broker\[' 'e2e_hold\[' /tmp/left /dev/shm/left; do
	grep -q " $what" <<<"$left" || fail "'$what' is not told"
done
