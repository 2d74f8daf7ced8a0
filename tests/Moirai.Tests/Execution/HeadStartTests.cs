using Moirai.Execution;

namespace Moirai.Tests.Execution;

/// <summary>The head start that a helper gives to a spawner of short tasks before it steals: as long as the queue grows, and never for long.</summary>
public sealed class HeadStartTests
{
    [Fact]
    public void None_is_given_when_there_is_nothing_to_take() => PausesOf(there: 0).ShouldBe(0);

    [Fact]
    public void None_is_given_when_there_is_as_much_as_one_can_take() => PausesOf(there: Pump.MostStolen).ShouldBe(0);

    [Fact]
    public void It_ends_with_the_first_look_at_which_nothing_was_added()
    {
        PausesOf(there: 1).ShouldBe(1);
        PausesOf(there: 1, 1, 1, 1).ShouldBe(4);
        PausesOf(there: 5, 1, 0, 1).ShouldBe(2, "what comes later is no part of it");
    }

    [Fact]
    public void It_ends_when_others_take_more_than_is_added() => PausesOf(there: 5, 1, -2, 1).ShouldBe(2);

    [Fact]
    public void It_ends_when_there_is_as_much_as_one_can_take() => PausesOf(there: 4, Pump.MostStolen / 2, Pump.MostStolen / 2, 1).ShouldBe(2);

    [Fact]
    public void It_ends_after_a_bounded_number_of_looks_however_long_the_spawner_goes_on()
    {
        int[] oneEachTime = [.. Enumerable.Repeat(1, Pump.MostStolen)];
        PausesOf(there: 1, oneEachTime).ShouldBe(Pump.MostLooks);
    }

    // How often a helper looked away from a queue to which a spawner added so many each time.
    private static int PausesOf(int there, params int[] added)
    {
        var spawner = new Spawner(there, added);
        Pump.WaitForMore(spawner.Queue, new Turn(spawner));
        return spawner.Turns;
    }

    private readonly struct Turn(Spawner spawner) : Pump.IPause
    {
        public void Pass() => spawner.GoOn();
    }

    private sealed class Spawner
    {
        private readonly int[] _added;

        internal Spawner(int there, int[] added)
        {
            _added = added;
            Add(there);
        }

        internal ReadyQueue Queue { get; } = new();

        internal int Turns { get; private set; }

        internal void GoOn() => Add(Turns++ < _added.Length ? _added[Turns - 1] : 0);

        private void Add(int count)
        {
            for (; count > 0; count--)
            {
                Queue.Push(new Still());
            }

            for (; count < 0; count++)
            {
                Queue.Pop(leaveIfEmpty: false).ShouldNotBeNull();
            }
        }
    }

    private sealed class Still : Frame
    {
        internal override string Method => "a frame that does nothing";

        internal override void MoveNext() => throw new NotSupportedException();

        internal override void Release() => throw new NotSupportedException();
    }
}
