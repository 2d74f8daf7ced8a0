namespace Moirai.Tests.Scopes;

/// <summary>Row C13: who is registered is alive, at every moment, whichever way they end. Each with registers that get it wrong, as the guide's does.</summary>
public sealed class PoolRegisterTests
{
    private const int Tasks = 200;
    private const int Ways = 5;

    [Fact]
    public void C13_the_active_count_is_exact_at_every_step_and_zero_when_all_have_ended_whichever_way() =>
        CountsExactly(static world => new OfPool(world.Runtime.CreatePool("web", Tasks)));

    [Fact]
    public void C13_twin_a_register_that_is_written_after_the_start_is_caught() =>
        Twin.IsCaught(static () => CountsExactly(static world => new EnteredTooLate(world.Runtime)), "the active count is wrong");

    [Fact]
    public void C13_twin_a_register_that_is_left_by_the_bodys_last_line_is_caught() =>
        Twin.IsCaught(static () => CountsExactly(static world => new LeftByTheBody(world.Runtime)), "the active count is wrong");

    [Fact]
    public void C13_twin_a_register_that_a_canceled_task_leaves_twice_is_caught() =>
        Twin.IsCaught(static () => CountsExactly(static world => new LeftTwice(world.Runtime)), "the active count is wrong");

    private static void CountsExactly(Func<World, Register> make)
    {
        var world = new World();
        Register register = make(world);
        List<ManagedTask> tasks = [];
        for (int i = 0; i < Tasks; i++)
        {
            int way = i % Ways;
            ManagedTask task = register.Spawn(async _ =>
            {
                if (way == 0)
                {
                    return; // ends in its first step
                }

                await Future.Yield();
                await Future.Delay(TimeSpan.FromSeconds(way));
                if (way == 2)
                {
                    throw new FormatException("as planned");
                }
            });
            tasks.Add(task);
            if (way is 3 or 4)
            {
                task.Cancel(); // before its first step
                if (way == 4)
                {
                    world.Executor.RunOneStep();
                }
            }

            ShouldBeExact();
        }

        while (tasks.Exists(static task => !task.IsEnded))
        {
            while (world.Executor.RunOneStep())
            {
                ShouldBeExact();
            }

            world.Time.AdvanceToNextTimer();
        }

        register.Active.ShouldBe(0);
        world.Run(register.CloseAsync());
        world.ShouldBeEmpty();
        world.Census.Created.ShouldBe(Tasks + 1);

        void ShouldBeExact() => register.Active.ShouldBe(tasks.Count(static task => !task.IsEnded), "the active count is wrong");
    }

    private abstract class Register
    {
        public abstract long Active { get; }

        public abstract ManagedTask Spawn(Func<CancellationToken, Future> body);

        public abstract Future CloseAsync();
    }

    private sealed class OfPool(TaskPool pool) : Register
    {
        public override long Active => pool.ActiveCount;

        public override ManagedTask Spawn(Func<CancellationToken, Future> body) => TaskSlotTests.Admit(pool, body);

        public override Future CloseAsync() => pool.DrainAsync();
    }

    private abstract class ByHand(TaskRuntime runtime) : Register
    {
        private readonly TaskScope _scope = runtime.OpenScope("by hand", ScopePolicy.Isolate);

        public override long Active => Count;

        protected long Count { get; set; }

        public override Future CloseAsync() => _scope.DisposeAsync();

        protected ManagedTask Start(Func<CancellationToken, Future> body) => _scope.Spawn(body);
    }

    /// <summary>The guide's web pool: the task runs first and is entered then, when it may have ended and left already. What has left stays for ever.</summary>
    private sealed class EnteredTooLate(TaskRuntime runtime) : ByHand(runtime)
    {
        private readonly LocalExecutor _executor = (LocalExecutor)runtime.Executor;

        public override ManagedTask Spawn(Func<CancellationToken, Future> body)
        {
            bool entered = false;
            ManagedTask task = Start(async token =>
            {
                try
                {
                    await body(token);
                }
                finally
                {
                    Count -= entered ? 1 : 0;
                }
            });
            _executor.RunOneStep(); // another processor was faster
            entered = true;
            Count++;
            return task;
        }
    }

    /// <summary>A task that fails or never begins does not come to the line that takes it out.</summary>
    private sealed class LeftByTheBody(TaskRuntime runtime) : ByHand(runtime)
    {
        public override ManagedTask Spawn(Func<CancellationToken, Future> body)
        {
            Count++;
            return Start(async token =>
            {
                await body(token);
                Count--;
            });
        }
    }

    /// <summary>Taken out by its own clean-up, and by who cancels it.</summary>
    private sealed class LeftTwice(TaskRuntime runtime) : ByHand(runtime)
    {
        public override ManagedTask Spawn(Func<CancellationToken, Future> body)
        {
            Count++;
            return Start(token =>
            {
                token.UnsafeRegister(_ => Count--, null);
                return LeaveAsync(body(token));
            });
        }

        private async Future LeaveAsync(Future body)
        {
            try
            {
                await body;
            }
            finally
            {
                Count--;
            }
        }
    }
}
