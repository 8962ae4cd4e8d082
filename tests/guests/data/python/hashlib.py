import hashlib, hmac, binascii
data = open('blob', 'rb').read()
for name in ('md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3_256', 'blake2b', 'blake2s', 'shake_128'):
    h = hashlib.new(name, data)
    print(name, h.hexdigest(20) if 'shake' in name else h.hexdigest())
print(hmac.new(b'key', data, 'sha256').hexdigest(), binascii.crc32(data))
print(hashlib.pbkdf2_hmac('sha256', b'password', b'salt', 1000).hex())
print(hashlib.scrypt(b'password', salt=b'salt', n=256, r=8, p=1).hex())
