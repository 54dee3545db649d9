# shellcheck shell=bash
# ext4 on it: a tree unpacked, compared, and again after a remount (15 s)
# timeout: 240
demo_start --size 128M
file_system "mkfs.ext4 -q" "e2fsck -fn"
demo_stop
