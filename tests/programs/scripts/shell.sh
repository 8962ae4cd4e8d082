# Pipelines, here-documents, traps, jobs, find | xargs, tar | xz; perl's processes.
seq 1000 | sed 's/^/n/' | sort -r | tail -n 3 | cat -A | tr -d '\n'
echo
yes | head -n 100000 | wc -l
false | true
echo "pipe ${PIPESTATUS[*]}"
set -o pipefail
yes | head -n 1 >/dev/null
echo "pipefail $?"
set +o pipefail
cat <<HERE - <(echo second) | grep -c .
$(seq 3)
HERE
for i in 1 2 3; do cat; done <<'HERE'
$quoted
HERE
seq 20000 >big
cat <<HERE | cmp - big && echo "long here-document"
$(cat big)
HERE

trap 'echo "usr1 $?"' USR1
(exit 7)
kill -USR1 $$
sleep 100 &
sleeper=$!
trap 'echo term; kill $sleeper' TERM
(sleep 0.3; kill -TERM $$) &
wait $sleeper
echo "interrupted $?"
wait $sleeper
echo "child $?"
trap - TERM USR1
bash -c 'trap "echo bye" EXIT; trap "exit 3" INT; kill -INT $$; echo not here'
echo "exit $?"
bash -c 'trap "" TERM; bash -c "kill -TERM \$\$; echo ignored"'
{ bash -c 'kill -SEGV $$'; } 2>/dev/null
echo "signal $?"
trap 'echo "chld"' CHLD
/bin/true
trap - CHLD

set -m
sleep 100 &
kill -STOP %%
until jobs | grep -q Stopped; do sleep 0.1; done
jobs %% | tr -s ' ' | cut -d' ' -f2-
kill -CONT %%
kill %%
wait %%
echo "job $?"
bash -c 'kill -STOP $$; echo continued' &
until jobs | grep -q Stopped; do sleep 0.1; done
fg %%
sleep 100 | sleep 100 &
[ "$(ps -o pgid= -p $!)" -eq "$(jobs -p %%)" ] && echo "one group"
kill %%
wait
set +m
coproc tr a-z A-Z
echo coprocess >&"${COPROC[1]}"
exec {COPROC[1]}>&-
cat <&"${COPROC[0]}"
wait

mkdir -p tree/{a,b,c}/{1,2,3}
for d in tree/*/*; do seq 50 >"$d/f"; done
find tree -name f -print0 | xargs -0 -n 2 -P 3 wc -l | grep -c total
find tree -type f -exec sh -c 'for f; do cat "$f"; done' _ {} + | awk '{ s += $1 } END { print s }'
tar -c tree | xz -T2 | tee t.tar.xz | xz -d | tar -tf - | wc -l
mkdir out
tar -xJf t.tar.xz -C out
diff -r tree out/tree && echo same
tar -cz tree | gzip -d | bzip2 | bzip2 -d | zstd -q | zstd -dq | tar -t | grep -c /f

perl -e '
    $| = 1;
    open my $in, "-|", "seq", 10 or die; my $s = 0; $s += $_ while <$in>; close $in; print "$s $?\n";
    open my $out, "|-", "tr a-z A-Z" or die; print $out "upper\n"; close $out;
    print "status ", system("exit 5;") >> 8, " ", system("kill -9 \$\$") & 127, "\n";
    my @lines = `printf "a\\nb\\n"`; print scalar(@lines), "\n";
    pipe my $r, my $w;
    if (my $pid = fork) { close $w; print "got ", <$r>; waitpid $pid, 0; print $? >> 8, "\n" }
    else { close $r; print $w "from the child\n"; close $w; exit 9 }
    $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; eval { sleep 10 }; print $@;
    local $SIG{CHLD} = sub { print "reaped ", wait() > 0, "\n" }; if (!fork) { exit } sleep 5;
    exec "echo", "exec" or die'
