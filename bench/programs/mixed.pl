# A mixed Perl load: hashes, sorting, regular expressions, string building.
use strict;
use warnings;

my $seed = 1;
sub number { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed >> 8 }

my $sum = 0;
for my $round (1 .. $ARGV[0]) {
    my @words = map { sprintf "%x", number() } 1 .. 5000;
    my %count;
    for my $word (@words) { $count{$_}++ for split //, $word }
    my $letters = 0;
    $letters += $_ for values %count;
    die "letters were lost\n" if $letters != length join "", @words;
    my @sorted = sort { $count{substr $a, 0, 1} <=> $count{substr $b, 0, 1} || $a cmp $b } @words;
    my $text = join " ", @sorted;
    my $found = 0;
    $found += length $1 while $text =~ /\b([a-f]+)\d+\b/g;
    (my $other = $text) =~ s/(\d)([a-f])/$2$1/g;
    for my $i (0 .. 20000) { $sum = ($sum * 31 + ord substr $other, $i % length $other, 1) % 1000003 }
    $sum = ($sum + $found) % 1000003;
}
print "$sum\n";
