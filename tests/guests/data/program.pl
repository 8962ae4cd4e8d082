use strict;
use warnings;
use List::Util qw(sum max first shuffle);
use POSIX qw(floor strftime);
use Data::Dumper;

my %count;
open my $in, '<', 'words' or die "words: $!";
while (my $line = <$in>) {
    $count{$_}++ for split ' ', $line;
}
close $in;
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%-10s %d\n", $_, $count{$_} for @top[0 .. 9];
print sum(values %count), ' ', max(values %count), ' ', scalar(@top), "\n";

sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) }
print 'fib ', fib(16), "\n";

my $text = 'The year 1999 and the year 2024';
my @years = $text =~ /(\d{4})/g;
(my $copy = $text) =~ s/(\w+) year/lc($1) . ' YEAR'/ge;
print "@years | $copy\n";
print join(',', map { sprintf '%03d', $_ * $_ } grep { $_ % 2 } 1 .. 9), "\n";
$Data::Dumper::Sortkeys = $Data::Dumper::Indent = 1;
print Dumper({ list => [1, 'two', 3.5], nested => { a => undef } });

package Stack {
    sub new { my $class = shift; bless [@_], $class }
    sub push { my $self = shift; push @$self, @_; $self }
    sub pop { pop @{ $_[0] } }
    sub DESTROY { print "stack gone\n" }
}
{
    my $s = Stack->new(1, 2);
    $s->push(3)->push(4, 5);
    print $s->pop, $s->pop, "\n";
}
eval { die { code => 42 } };
print "caught $@->{code}\n";
local $_ = pack 'NnCa4', 0xdeadbeef, 258, 65, 'text';
print unpack('H*', $_), ' ', join('/', unpack 'NnCa4', $_), "\n";
print 10 / 3, ' ', 2**53, ' ', 1e21, ' ', 0.1 + 0.2, ' ', floor(-2.5), "\n";
print strftime('%F %T', gmtime 86399), "\n";
my @stat = stat 'words';
print "$stat[7] $stat[9]\n";
opendir my $dir, 'tree/many' or die;
print scalar(grep { /^file/ } readdir $dir), "\n";
sub sieve {
    my @composite;
    my @primes;
    for my $i (2 .. $_[0]) {
        next if $composite[$i];
        push @primes, $i;
        for (my $j = $i * $i; $j <= $_[0]; $j += $i) { $composite[$j] = 1 }
    }
    return @primes;
}
my @primes = sieve(5000);
print scalar(@primes), " primes, last $primes[-1]\n";
open my $out, '>', 'out.txt' or die;
print $out reverse "line\n", "another\n";
close $out or die;
exit 9;
