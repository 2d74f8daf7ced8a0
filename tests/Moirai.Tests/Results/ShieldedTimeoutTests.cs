namespace Moirai.Tests.Results;

/// <summary>A timeout whose time is over while its body is under a shield: nothing inside is told, and what follows the shield is.</summary>
public sealed class ShieldedTimeoutTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C6_a_timeout_that_is_over_under_a_shield_tells_nobody_inside_and_is_thrown_at_the_first_wait_after_it(bool foreign)
    {
        var world = new World();
        var inside = new Inside(world, foreign);
        ManagedTask<int> task = world.Spawn(async _ => await ThenWaitAsync().WithTimeout(Second));
        world.Run();
        world.Advance(2);
        inside.ShouldBeUntold(task);

        inside.Open();
        world.Executor.RunUntil(task);
        world.Trace.ShouldBe(["inside", $"{CancelKind.TimedOut}"]);
        TaskTimeoutException timeout = task.Exception.ShouldBeOfType<TaskTimeoutException>();
        timeout.WaitingFor.ShouldContain(foreign ? "a foreign awaitable" : "a polled operation"); // what it waited for when the time was over
        world.Events[0].Error.ShouldBeSameAs(timeout);
        world.Events[0].Kind.ShouldBe(RuntimeEventKind.TimedOut);
        world.ShouldBeEmpty();

        async Future<int> ThenWaitAsync()
        {
            await inside.WaitAsync();
            try
            {
                await Future.Yield();
                world.Log("went on");
            }
            catch (ManagedTaskCanceledException canceled)
            {
                world.Log($"{canceled.Cause.Kind}");
                throw;
            }

            return 1;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C6_a_body_that_swallows_what_the_first_wait_after_its_shield_throws_has_timed_out(bool foreign)
    {
        var world = new World();
        var inside = new Inside(world, foreign);
        ManagedTask<int> task = world.Spawn(async _ => await ThenSwallowAsync().WithTimeout(Second));
        world.Run();
        world.Advance(2);
        inside.ShouldBeUntold(task);

        inside.Open();
        world.Executor.RunUntil(task);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();

        async Future<int> ThenSwallowAsync()
        {
            await inside.WaitAsync();
            try
            {
                await Future.Yield();
            }
            catch (ManagedTaskCanceledException)
            {
                // told, and goes on all the same
            }

            return 1;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C6_a_body_that_is_done_with_its_shield_was_never_told_and_keeps_its_value(bool foreign)
    {
        var world = new World();
        var inside = new Inside(world, foreign);
        ManagedTask<int> task = world.Spawn(async _ => await ThenReturnAsync().WithTimeout(Second));
        world.Run();
        world.Advance(2);
        inside.ShouldBeUntold(task);

        inside.Open();
        world.Executor.RunUntil(task);
        task.Exception.ShouldBeNull();
        task.Result.ShouldBe(1);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();

        async Future<int> ThenReturnAsync()
        {
            await inside.WaitAsync();
            return 1;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C6_a_body_whose_token_from_before_its_shield_was_canceled_has_been_told_and_has_timed_out(bool foreign)
    {
        var world = new World();
        var inside = new Inside(world, foreign);
        CancellationToken before = default;
        ManagedTask<int> task = world.Spawn(async _ => await WithTokenAsync().WithTimeout(Second));
        world.Run();
        before.IsCancellationRequested.ShouldBeFalse();
        world.Advance(2);
        before.IsCancellationRequested.ShouldBeTrue();
        inside.ShouldBeUntold(task);

        inside.Open();
        world.Executor.RunUntil(task);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();

        async Future<int> WithTokenAsync()
        {
            before = ManagedTask.CurrentToken;
            await inside.WaitAsync();
            return 1;
        }
    }

    /// <summary>A wait under a shield: in one of Moirai's own, or in foreign code.</summary>
    private sealed class Inside(World world, bool foreign)
    {
        private readonly Gate _gate = new();
        private readonly TaskCompletionSource _foreign = new();
        private CancellationToken _token;

        public async Future WaitAsync()
        {
            using CancelShield shield = ManagedTask.Shield();
            _token = ManagedTask.CurrentToken;
            if (foreign)
            {
                await _foreign.Task;
            }
            else
            {
                await _gate.WaitAsync();
            }

            world.Log("inside");
        }

        public void ShouldBeUntold(ManagedTask task)
        {
            task.State.ShouldBe(TaskState.Blocked);
            world.Trace.ShouldBeEmpty();
            _token.IsCancellationRequested.ShouldBeFalse();
        }

        public void Open()
        {
            _gate.Open();
            _foreign.SetResult();
        }
    }
}
