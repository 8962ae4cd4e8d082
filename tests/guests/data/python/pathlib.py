import errno, pathlib, os, stat, shutil, tempfile, glob
top = pathlib.Path('tree')
for path in sorted(top.rglob('*')):
    s = path.lstat()
    print(path, stat.filemode(s.st_mode), s.st_size if not path.is_dir() else '-', int(s.st_mtime))
shutil.copytree('tree', 'copy', symlinks=True)
(top / 'new').mkdir(parents=True); (top / 'new' / 'file').write_text('hello\n')
(top / 'new' / 'file').rename('moved'); os.symlink('moved', 'soft'); os.link('moved', 'hard')
print(os.stat('hard').st_nlink, os.readlink('soft'), sorted(glob.glob('*', root_dir='tree/a')), os.path.samefile('soft', 'hard'))
os.chmod('moved', 0o640); os.truncate('moved', 3); os.utime('moved', (1, 2))
print(os.stat('moved').st_mtime_ns, pathlib.Path('moved').read_text(), os.access('moved', os.R_OK))
with os.scandir('tree') as entries:
    print(sorted((e.name, e.is_dir(), e.is_symlink()) for e in entries))
with tempfile.TemporaryDirectory(dir='.') as name:
    pathlib.Path(name, 'x').touch()
print(os.path.exists(name))
for error in (lambda: open('nothing'), lambda: os.rmdir('tree'), lambda: os.mkdir('tree')):
    try:
        error()
    except OSError as e:
        print(type(e).__name__, errno.errorcode[e.errno], e.strerror)
shutil.rmtree('copy')
fd = os.open('vec', os.O_CREAT | os.O_RDWR)
print(os.writev(fd, [b'ab', b'', b'cde']), os.pread(fd, 3, 1), os.lseek(fd, 0, os.SEEK_END), os.preadv(fd, [bytearray(2)], 0))
os.posix_fallocate(fd, 0, 10000); print(os.fstat(fd).st_size); os.ftruncate(fd, 5 * 2**30); print(os.fstat(fd).st_size)
os.ftruncate(fd, 1); os.close(fd)
