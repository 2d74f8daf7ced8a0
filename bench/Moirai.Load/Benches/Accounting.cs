using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>What a resume costs more when it is accounted for: a future that yields, and plain <c>async Task</c> code that is resumed inline.</summary>
internal sealed class Accounting() : Workload(
    "accounting",
    "N resumes of one task in a runtime of its own that accounts for nothing, for polls, or exactly: a future that yields, or a plain async Task that one thread resumes; handler and clock: what the platform takes by itself, for nothing and for two looks at the clock a resume; extra: the least of stretches of 2,000 resumes, and of looks at the clock",
    new("future-none", 10_000_000),
    new("future-polls", 10_000_000),
    new("future-exact", 10_000_000),
    new("plain-none", 10_000_000),
    new("plain-polls", 10_000_000),
    new("plain-exact", 10_000_000),
    new("plain-handler", 10_000_000),
    new("plain-clock", 10_000_000))
{
    // So short that on a busy machine some pass undisturbed.
    private const int Stretch = 2_000;

    public override bool HasPeer => false;

    public override string? Objection(LoadArgs args) => args.Peer == Peer.Dotnet ? "the base library keeps no accounts: compare with the variants that end in -none" : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        string[] variant = pass.Variant.Split('-');
        AccountingLevel level = Enum.TryParse(variant[1], ignoreCase: true, out AccountingLevel known) ? known : AccountingLevel.None;
        AsyncLocal<Carried>? platform = variant[1] switch
        {
            "handler" => new AsyncLocal<Carried>(new Floor().Changed),
            "clock" => new AsyncLocal<Carried>(new Floor().Looked),
            _ => null,
        };
        var least = new Least();
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "accounted", Accounting = level });
        TaskAccount account;
        if (variant[0] == "future")
        {
            pass.Begin();
            ManagedTask task = runtime.SpawnDetached(YieldAsync(pass.N, least));
            await task;
            pass.Phase("run");
            account = task.TakeAccount();
        }
        else
        {
            var turnstile = new Turnstile();
            ManagedTask task = runtime.SpawnDetached(PassAsync, name: "plain");
            await turnstile.IsThere;
            Task driving;
            using (ExecutionContext.SuppressFlow())
            {
                // By a thread that runs for no other task: what the bench itself is must not be in the figures.
                driving = Task.Run(() =>
                {
                    pass.Begin();
                    for (long i = 0; i < pass.N; i++)
                    {
                        turnstile.LetPass();
                        least.Passed(i);
                    }

                    pass.Phase("run");
                });
            }

            await driving;
            await task;
            account = task.TakeAccount();

            async Task PassAsync(CancellationToken cancellationToken)
            {
                if (platform is not null)
                {
                    platform.Value = new Carried(turnstile);
                }

                for (long i = 0; i < pass.N; i++)
                {
                    await turnstile;
                }
            }
        }

        pass.Count(pass.N);
        pass.Extra("least_ns", least.Nanoseconds);
        pass.Extra("look_ns", LookAtClock());
        Pass.Check(account.Polls is null || account.Polls == pass.N + 1, $"{account.Polls} polls were counted instead of {pass.N + 1}");
        Pass.Check(level != AccountingLevel.Exact || account.Busy <= account.Age, $"{account} does not add up");
    }

    public override Task RunByHandAsync(Pass pass) => throw new NotSupportedException("It is refused before.");

    private static async Future YieldAsync(long count, Least least)
    {
        for (long i = 0; i < count; i++)
        {
            await Future.Yield();
            least.Passed(i);
        }
    }

    private static double LookAtClock()
    {
        var least = new Least();
        for (long i = 0; i < 1000 * Stretch; i++)
        {
            Floor.Look();
            least.Passed(i);
        }

        return least.Nanoseconds;
    }

    /// <summary>What flows: a value type, since the platform has to look up what to cast a reference to.</summary>
    private readonly record struct Carried(object? Value);

    /// <summary>What the platform takes by itself: a handler that does nothing, and one that only looks at the clock.</summary>
    private sealed class Floor
    {
        private long _last;

        public void Changed(AsyncLocalValueChangedArgs<Carried> change) => _last++;

        public void Looked(AsyncLocalValueChangedArgs<Carried> change) => _last = Look();

        // Not compiled into the platform's method, which has a try block: there it is a call more.
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static long Look() => TimeProvider.System.GetTimestamp();
    }

    /// <summary>How long the shortest stretch took. Used by one flow of control at a time.</summary>
    private sealed class Least
    {
        private long _begun = Stopwatch.GetTimestamp();
        private long _least = long.MaxValue;

        /// <summary>For each resume.</summary>
        public double Nanoseconds => Stopwatch.GetElapsedTime(0, _least).TotalNanoseconds / Stretch;

        public void Passed(long i)
        {
            if (i % Stretch == Stretch - 1)
            {
                long now = Stopwatch.GetTimestamp();
                _least = Math.Min(_least, now - _begun);
                _begun = now;
            }
        }
    }

    /// <summary>Lets one waiter go on, on the thread of who lets it. The cheapest wait that plain code can have: what is measured is the resume.</summary>
    private sealed class Turnstile : ICriticalNotifyCompletion
    {
        private readonly TaskCompletionSource _isThere = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Action? _waiter;

        public bool IsCompleted => false;

        /// <summary>Ends when the first waiter has come.</summary>
        public Task IsThere => _isThere.Task;

        public Turnstile GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation)
        {
            _waiter = continuation;
            _isThere.TrySetResult();
        }

        public void LetPass()
        {
            Action waiter = _waiter!;
            _waiter = null;
            waiter();
        }
    }
}
