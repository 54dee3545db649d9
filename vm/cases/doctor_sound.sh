# shellcheck shell=bash
# doctor finds no fault on a sound machine; orphan, swap, own mount namespace (15 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
check() { # device's check: level, words
	ctl "$3" doctor
	says "^$1  *device $ID: .*$2"
}
demo_start --size 64M
ctl_json 0 '.worst != "fault" and ([.checks[] | select(.level == "ok") | .name] |
	contains(["module", "control", "privilege", "io_uring", "files",
	"IO_FLUSHER"]))' doctor
check ok "server $DEMO_PID" 0
ctl 0 doctor
absent=
while read -r feature words; do
	has_feature "$feature" || {
		absent=yes
		says "^warning  *features: this kernel is without .*$words"
	}
done <<END
USER_RECOVERY_FAIL_IO recovery fail-io
UPDATE_SIZE resize
QUIESCE quiesce
SAFE_STOP_DEV stop --safe
END
[ -n "$absent" ] || says '^ok  *features'
note "swap"
mkswap "$DEV" >/dev/null || fail "mkswap"
swapon "$DEV" || fail "swapon"
check warning swap 0
ctl 4 stop "$ID"
complains 'swap on'
swapoff "$DEV" || fail "swapoff"
demo_stop

note "in its own mount namespace"
bin=$UBLK_EVDEMO
cat >private <<END
#!/bin/sh
exec unshare --mount $bin "\$@"
END
chmod +x private
UBLK_EVDEMO=$PWD/private
demo_start --size 64M
UBLK_EVDEMO=$bin
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
nsenter -m -t "$DEMO_PID" mount "$DEV" "$PWD/mnt" || fail "mount"
check fault "mounted on $PWD/mnt in the mount namespace of its own" 1
nsenter -m -t "$DEMO_PID" umount "$PWD/mnt" || fail "umount"
check ok "server $DEMO_PID" 0
demo_stop

note "orphan"
demo_start --size 16M --no-broker
kill -KILL "$DEMO_PID"
wait "$DEMO_PID"
# shellcheck disable=SC2317
is_orphan() {
	"$UBLK_EVCTL" doctor | grep -q "^warning  *device $ID: .* died"
}
wait_for 20 is_orphan || fail "not found"
ctl 0 del "$ID"
