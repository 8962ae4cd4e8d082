# What bash does by itself: no command here starts a process.
set -eu
shopt -s extglob nullglob

declare -A count=()
declare -i lines=0
while IFS= read -r line; do
    lines+=1
    for word in $line; do
        count[$word]=$((${count[$word]:-0} + 1))
    done
done <words
printf '%d lines, %d words\n' "$lines" "${#count[@]}"

# Sort the words by insertion.
sorted=()
for word in "${!count[@]}"; do
    i=${#sorted[@]}
    while ((i > 0)) && [[ ${sorted[i - 1]} > $word ]]; do
        sorted[i]=${sorted[i - 1]}
        ((i -= 1)) || true
    done
    sorted[i]=$word
done
for word in "${sorted[@]}"; do printf '%s=%d ' "$word" "${count[$word]}"; done
echo

fib() {
    local n=$1
    if ((n < 2)); then
        REPLY=$n
        return
    fi
    fib $((n - 1))
    local a=$REPLY
    fib $((n - 2))
    REPLY=$((a + REPLY))
}
fib 15
echo "fib 15 = $REPLY"

s='The quick brown fox'
echo "${s^^} ${s,,} ${s/quick/slow} ${s//o/0} ${s:4:5} ${#s} ${s#* } ${s##* } ${s% *} ${s%% *}"
[[ $s =~ ([a-z]+)\ ([a-z]+)\ fox ]] && echo "match: ${BASH_REMATCH[1]}, ${BASH_REMATCH[2]}"
case $s in The*fox) echo 'case ok' ;; *) echo 'case wrong' ;; esac
echo $((0x1f + 8#17 + 2#101)) $((7 / 2)) $((-7 % 3)) $((1 << 40)) $((5 > 3 ? 10 : 20))
echo {1..10..3} {a..e} x{1,2}y
echo tree/many/file0[1-3] tree/!(many)
printf '%q %b %x %05.2f %s\n' "a'b" 'tab\there' 255 3.14159 end
printf -v when '%(%Y-%m-%d)T' 86400
echo "$when"
mapfile -t -n 3 first <numbers
echo "${first[@]}"
cat_() { while IFS= read -r l; do echo "> $l"; done; }
cat_ <<END
here $((6 * 7))
document
END
cat_ <<<"a here string"
exec 5>out.txt
echo 'written through 5' >&5
exec 5>&-
read -r back <out.txt
echo "$back"
trap 'echo "leaving with $?"' EXIT
set +e
false || echo 'false is false'
[ -d tree ] && [ ! -e nothing ] && test 10 -gt 9 && echo 'tests ok'
eval 'echo evaluated'
declare -n ref=s
echo "$ref"
exit 7
