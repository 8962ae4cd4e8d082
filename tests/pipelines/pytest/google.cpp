// GoogleTest: plain cases, of a type, of a parameter, skipped, failing.
#include <gtest/gtest.h>

#include <sys/utsname.h>

#include <cstdio>
#include <string>

TEST(Machine, IsTheTargets)
{
    utsname name;
    ASSERT_EQ(0, uname(&name));
    std::printf("on %s\n", name.machine);
    EXPECT_STREQ(MACHINE, name.machine);
}

TEST(Machine, HasNoEngine) { GTEST_SKIP() << "no engine, today"; }

TEST(Sums, AreWrong) { EXPECT_EQ(5, 2 + 2); }

TEST(Sums, EndInASignal) { __builtin_trap(); }

TEST(Sums, DISABLED_AreForTomorrow) { FAIL(); }

template <class T> class Sizes : public testing::Test {};
using Types = testing::Types<char, std::string>;
TYPED_TEST_SUITE(Sizes, Types);
TYPED_TEST(Sizes, AreSome) { EXPECT_GT(sizeof(TypeParam), 0u); }

class Numbers : public testing::TestWithParam<int> {};
TEST_P(Numbers, AreOdd) { EXPECT_EQ(1, GetParam() % 2); }
INSTANTIATE_TEST_SUITE_P(Some, Numbers, testing::Values(1, 2, 3));
