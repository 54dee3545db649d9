# shellcheck shell=bash
# Where ADD_DEV is known to crash the kernel nothing is sent to it, and status 3 says why (2 s)
has_fault crashes_at_add || skip "this kernel survives ADD_DEV"
demo_refuses 3 --size 16M
[[ $REFUSAL == *"$(uname -r): ADD_DEV may crash"*--force-kernel* ]] ||
	fail "not the fault: $REFUSAL"
demo_refuses 3 --size 16M --daemon
# without a crash there is one more command that is answered
"$UBLK_EVCTL" features >features.out || fail "the driver does not answer"
[ -z "$(echo /sys/class/ublk-char/ublkc* | grep -v '\*')" ] ||
	fail "there is a device"
! dmesg | grep -q 'Oops:\|BUG:' || fail "the kernel crashed all the same"
