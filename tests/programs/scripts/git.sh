# Three commits, their log, a clone over the local transport, packing, checking.
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git init -q a
cd a
git config user.email a@b
git config user.name n
for i in 1 2 3; do
    seq "$i" 200 >"f$i"
    git add .
    git commit -qm "c$i"
done
git log --oneline | wc -l
cd ..
git clone -q a b
cd b
git log --format=%s
git gc -q
git fsck
git status --short
git diff --stat HEAD~1 | tail -1
