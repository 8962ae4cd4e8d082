# Rust: ripgrep and fd, with their threads.
mkdir -p a/b
for i in $(seq 50); do echo "hello $i needle$((i % 7))" >"a/b/f$i"; done
rg -c needle3 . | wc -l
rg -j4 --sort path 'needle[0-2]' . | wc -l
rg -o 'hello 17 \w+' a/b/f17
fdfind '^f1' | wc -l
fdfind '^f5$' -x echo found {/}
