# shellcheck shell=bash
# 10000 devices one after the other in one process: only by its name, it takes long
# tag: long
# timeout: 7200
"$BUILD/tests/e2e/e2e_rounds" 10000 || fail "e2e_rounds: status $?"
[ -z "$(ls /sys/class/ublk-char 2>/dev/null)" ] || fail "a device is left"
[ -z "$(pgrep iou-wrk)" ] || fail "a kernel worker is left"
