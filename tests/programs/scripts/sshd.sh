# Keys, and a server's configuration with them.
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f k
ssh-keygen -q -t rsa -b 2048 -N '' -f r
printf 'HostKey %s/k\nHostKey %s/r\nUsePAM no\nPort 2222\n' "$PWD" "$PWD" >c
/usr/sbin/sshd -t -f c
echo "valid $?"
/usr/sbin/sshd -T -f c | grep '^port '
ssh-keygen -Y sign -q -f k -n file c
ssh-keygen -Y check-novalidate -n file -s c.sig <c | cut -d' ' -f1-3
