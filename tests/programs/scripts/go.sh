# Go: restic and rclone, with goroutines, signals that preempt them, and garbage collection.
export HOME=$PWD RESTIC_PASSWORD=x
mkdir s
for i in $(seq 20); do seq "$i" 1000 >"s/f$i"; done
restic -q -r r init
restic -q -r r backup s
restic -r r snapshots | tail -1
restic -q -r r restore latest --target o >/dev/null # later ones tell of it
diff -r s o/s && echo restored
rclone version | head -1 | cut -d' ' -f1
rclone -q sync s t
diff -r s t && echo synced
