using System.Globalization;
using Moirai.Ground;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving;

/// <summary>The explorer leaves out interleavings from which nothing new can come: on programs made by chance the outcomes are all there, and none besides.</summary>
public sealed class PruningTests
{
    [Theory]
    [InlineData(1, 25, 2, 4)]
    [InlineData(4, 8, 3, 3)]
    public void What_is_held_back_may_land_only_where_somebody_comes_by_and_no_outcome_is_lost(int seed, int programs, int threads, int length)
    {
        var random = new Random(seed);
        int all = 0;
        int pruned = 0;
        for (int i = 0; i < programs; i++)
        {
            Use[][] program = Program(random, threads, length);
            foreach (int budget in threads == 2 ? [1, 3] : new[] { 1, 2 })
            {
                (HashSet<string> expected, int landingAnywhere) = Outcomes(program, new Bounds(budget) { LandsAnywhere = true });
                (HashSet<string> found, int landingWhereMet) = Outcomes(program, new Bounds(budget));
                found.Order(StringComparer.Ordinal).ShouldBe(expected.Order(StringComparer.Ordinal), Describe(program) + $" with a budget of {budget}");
                all += landingAnywhere;
                pruned += landingWhereMet;
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{pruned:N0} interleavings instead of {all:N0}");
        pruned.ShouldBeLessThan(all * 3 / 4);
    }

    [Fact]
    public void Programs_made_by_chance_show_what_only_held_stores_explain()
    {
        // The test above compares two sets: they must be of some interest.
        Use[][] program = [[new(Kind.Write, 0), new(Kind.Read, 1)], [new(Kind.Write, 1), new(Kind.Read, 0)]];
        Outcomes(program, new Bounds(2)).Seen.ShouldContain("0 0 | 1 2 0");
        Outcomes(program, new Bounds(2) { HoldsStores = false }).Seen.ShouldNotContain("0 0 | 1 2 0");
    }

    private static (HashSet<string> Seen, int Count) Outcomes(Use[][] program, Bounds bounds)
    {
        var seen = new HashSet<string>();
        Exploration exploration = Explorer.Explore(() => new Played(program, seen), bounds);
        exploration.Broken.ShouldBeNull(Describe(program));
        return (seen, exploration.Count);
    }

    private static Use[][] Program(Random random, int threads, int length)
    {
        var program = new Use[threads][];
        for (int i = 0; i < threads; i++)
        {
            program[i] = new Use[random.Next(2, length + 1)];
            for (int j = 0; j < program[i].Length; j++)
            {
                program[i][j] = new Use((Kind)random.Next(7), random.Next(2));
            }
        }

        return program;
    }

    private static string Describe(Use[][] program) => string.Join(" || ", program.Select(static thread => string.Join("; ", thread.Select(static use => $"{use.Kind} {use.Place}"))));

    private enum Kind
    {
        Read,
        Write,
        OtherWrite,
        CompareExchange,
        Add,
        Fence,
        Pass,
    }

    private sealed record Use(Kind Kind, int Place);

    private sealed class Played : Model
    {
        private readonly HashSet<string> _seen;
        private readonly int[] _places = new int[3];
        private readonly List<int>[] _read;
        private SpinGate _gate;

        public Played(Use[][] program, HashSet<string> seen)
        {
            _seen = seen;
            _read = [.. program.Select(static _ => new List<int>())];
            for (int i = 0; i < program.Length; i++)
            {
                int mine = i;
                Thread($"t{mine}", () => Array.ForEach(program[mine], use => Do(mine, use)));
            }
        }

        public override void Check() =>
            _seen.Add(string.Join(" ", _read.Select(static read => string.Join(",", read))) + " | " + string.Join(" ", _places.Select(static value => value.ToString(CultureInfo.InvariantCulture))));

        private void Do(int mine, Use use)
        {
            switch (use.Kind)
            {
                case Kind.Read:
                    _read[mine].Add(Atomics.Read(ref _places[use.Place]));
                    break;
                case Kind.Write:
                    Atomics.Write(ref _places[use.Place], mine + 1);
                    break;
                case Kind.OtherWrite:
                    Atomics.Write(ref _places[use.Place], mine + 11);
                    break;
                case Kind.CompareExchange:
                    _read[mine].Add(Atomics.CompareExchange(ref _places[use.Place], mine + 21, 0));
                    break;
                case Kind.Add:
                    _read[mine].Add(Atomics.Add(ref _places[use.Place], 100));
                    break;
                case Kind.Fence:
                    Atomics.Fence();
                    break;
                default:
                    _gate.Enter();
                    _read[mine].Add(_places[2]); // what the gate guards is plain
                    _places[2] = mine + 1;
                    _gate.Exit();
                    break;
            }
        }
    }
}
