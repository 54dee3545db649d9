# shellcheck shell=bash
# The installed package serves a disk as the build tree's does (5 s)
# vm/e2e puts it there: libtool takes minutes under emulation.
[ -d /share/installed ] || skip "no installed tree in /share: use vm/e2e"
cp -r /share/installed root
# shellcheck disable=SC2034  # for demo_start
UBLK_EVDEMO=$PWD/$(find root -name ublk-evdemo -type f -perm -u+x)
lib=$(find root -name 'libublkev.so.0' -printf %h)
export LD_LIBRARY_PATH=$PWD/$lib
demo_start --size 32M --block-size 4096
random_file ref $((8 << 20))
dd if=ref of="$DEV" bs=256k oflag=direct status=none || fail "write"
same ref || fail "other data came back"
grep -q "$PWD/root/.*libublkev" "/proc/$DEMO_PID/maps" ||
	fail "it does not use the installed library"
demo_stop
