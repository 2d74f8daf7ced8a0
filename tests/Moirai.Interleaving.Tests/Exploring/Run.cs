namespace Moirai.Interleaving.Exploring;

/// <summary>One interleaving of a model: its threads make one step after the other, each step in the order that the script says.</summary>
/// <remarks>
/// A step is one use of the seam and all that follows it up to the next. Exactly one thread works at any time; it hands the turn on itself. A thread that waits in a loop gets no turn until
/// there is something else where it has looked. Stores can be held back: their thread sees them, others do not, until it uses a fence, or anything that is one, or waits, or the script lets
/// them land; in order.
/// </remarks>
internal sealed partial class Run
{
    [ThreadStatic]
    private static ModelThread? t_self;

    [ThreadStatic]
    private static Run? t_run;

    private readonly Script _script;
    private readonly Bounds _bounds;
    private readonly ModelThread[] _threads;
    private readonly ManualResetEventSlim _over = new(false, spinCount: 0);
    private readonly List<string>? _trace;
    private readonly bool _hasFineSteps;
    private readonly int _collections = GC.CollectionCount(0);

    // What each thread has seen or stored last, by place; kept for the one flaw that needs it.
    private readonly Dictionary<(ModelThread, Place), object?>? _lastSeen;
    private int _working;
    private int _steps;
    private volatile bool _aborting;
    private Place _landedAt;

    public Run(Model model, Script script, Bounds bounds, Mutant? mutant, Crew crew, bool trace)
    {
        _script = script;
        _bounds = bounds;
        _hasFineSteps = model.HasFineSteps;
        Mutant = mutant;
        _trace = trace ? [] : null;
        _lastSeen = mutant?.Flaw == Flaw.Stale ? [] : null;
        _threads = [.. model.Threads.Select((thread, index) => new ModelThread(index, thread.Name, thread.Body, crew[index]))];
        foreach (ModelThread thread in _threads)
        {
            thread.Hand.Task = () => Play(thread);
        }
    }

    /// <summary>The run to which the current thread belongs; null on threads that are no model's.</summary>
    public static Run? Current => t_run;

    /// <summary>The clock of the run, in milliseconds. It moves when all who could do something sleep.</summary>
    public long Now { get; private set; }

    public Mutant? Mutant { get; }

    /// <summary>What the first thread to fail threw.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>The garbage collector came in between: the run tells nothing, and is to be repeated.</summary>
    public bool WasDisturbed { get; private set; }

    public IReadOnlyList<string> Trace => _trace ?? [];

    /// <summary>Threads that the code under exploration has started, for a thread of the model to play.</summary>
    public Queue<Action> Started { get; } = new();

    /// <summary>Whether the next thread that is to be started is not: the machine has none to give.</summary>
    public bool FailsNextStart { get; set; }

    /// <summary>Where in the source the seam was used.</summary>
    public HashSet<Site> Sites { get; } = [];

    /// <summary>Whether the current thread has the planted fault at this site.</summary>
    public bool IsMutated(Flaw flaw, string site) => Mutant is not null && Mutant.Has(flaw, site, t_self!);

    /// <summary>Plays it to its end.</summary>
    public void Play()
    {
        _working = _threads.Length;
        Decide(null, isFree: true).Hand.Go();
        int seen = -1;
        while (!_over.Wait(_bounds.Patience))
        {
            if (seen == Volatile.Read(ref _steps))
            {
                throw new ExplorerException($"A thread of the model is blocked outside the seam, or runs for ever without using it. {Describe()}");
            }

            seen = _steps;
        }
    }

    /// <summary>The current thread is about to use the seam: whoever the script says goes first.</summary>
    public void Step<T>(string what, ref readonly T location)
    {
        t_self!.IsAboutToTouch(in location);
        Step(what);
        t_self.IsAboutToTouchNothing();
    }

    /// <summary>The current thread is about to do what others may come before, and it touches nothing that is behind the seam.</summary>
    public void Step(string what)
    {
        ModelThread self = t_self!;
        self.Doing = what;
        HandOn(self, isFree: false);
        _trace?.Add($"{self.Index} {self.Name}: {what}");
    }

    /// <summary>The current thread has used the seam: where steps are fine, others may come before it goes on.</summary>
    public void EndStep()
    {
        if (_hasFineSteps)
        {
            HandOn(t_self!, isFree: false);
        }
    }

    /// <summary>One turn of a loop that waits for a change, and stores nothing between its look and this.</summary>
    public void Spin(string what)
    {
        ModelThread self = t_self!;
        Wait(self, what, () => IsOutdated(self.Looks));
        self.Looks.Clear();
    }

    /// <summary>The current thread waits until <paramref name="condition"/> holds, which uses no seam.</summary>
    public static void WaitUntil(string what, Func<bool> condition)
    {
        t_run!.Wait(t_self!, what, condition);
    }

    /// <summary>For a thread that serves the others: waits until there is something to do, or nobody is left for whom it could do it.</summary>
    /// <returns>Whether there is something to do.</returns>
    public static bool WaitForWork(string what, Func<bool> condition)
    {
        Run run = t_run!;
        ModelThread self = t_self!;
        self.IsIdle = true;
        run.Wait(self, what, () => condition() || Array.TrueForAll(run._threads, static thread => thread.HasEnded || thread.IsIdle));
        self.IsIdle = false;
        return condition();
    }

    /// <summary>Calls code that does not let exceptions of what it calls back come out again, but throws them on a thread of the pool.</summary>
    public static void CallForeign(Action code)
    {
        t_self!.CannotUnwind = true;
        code();
        t_self!.CannotUnwind = false;
    }

    /// <summary>The model does not hold. For places from which an assertion might not come out.</summary>
    public static void Fail(string message)
    {
        var broken = new BrokenModelException(message);
        throw t_run is { } run ? run.Abort(broken) : broken;
    }

    /// <summary>As <see cref="WaitUntil"/>, or until the run's clock has moved by <paramref name="milliseconds"/>.</summary>
    public void SleepUntil(string what, int milliseconds, Func<bool> condition)
    {
        ModelThread self = t_self!;
        self.SleepsUntil = milliseconds < 0 ? null : Now + milliseconds;
        long? until = self.SleepsUntil;
        Wait(self, what, () => condition() || (until is { } time && Now >= time));
        self.SleepsUntil = null;
    }

    /// <summary>A value, for the trace. What says what it is may use the seam itself: that is no step.</summary>
    public static string? Describe<T>(T value)
    {
        (Run? run, t_run) = (t_run, null);
        try
        {
            return value?.ToString();
        }
        finally
        {
            t_run = run;
        }
    }

    public void Note(string what) => _trace?.Add($"  {what}");

    public bool IsTraced => _trace is not null;

    /// <summary>What the current thread sees at a place.</summary>
    public T Load<T>(ref readonly T location)
    {
        HeldStores stores = t_self!.Held;
        if (stores.HaveMoved)
        {
            ThrowMoved();
        }

        return stores.TryFind(in location, out T held) ? held : location;
    }

    /// <summary>The current thread has looked at a place.</summary>
    public void NoteLook<T>(ref readonly T location, T seen) => t_self!.Looks.Add(new Look<T>(Place.Of(in location), seen));

    /// <summary>The current thread has stored something at once.</summary>
    public void NoteStore() => t_self!.Looks.Clear();

    /// <summary>Keeps in mind what the current thread knows of a place.</summary>
    public void Remember<T>(ref readonly T location, T value)
    {
        if (_lastSeen is not null)
        {
            _lastSeen[PlaceOf(in location)] = value;
        }
    }

    /// <summary>What the current thread knows of a place.</summary>
    public T Recall<T>(ref readonly T location) =>
        _lastSeen!.TryGetValue(PlaceOf(in location), out object? seen) && seen is T value ? value : Load(in location);

    /// <summary>Stores what others may see late.</summary>
    public void Store<T>(ref T location, T value)
    {
        ModelThread self = t_self!;
        bool held = self.Held.Any;
        if (!held && _bounds.HoldsStores && !Array.TrueForAll(_threads, thread => thread.HasEnded || ReferenceEquals(thread, self)))
        {
            held = _script.Choose(['.', 'h'], costly: 1) == 'h';
        }

        if (held)
        {
            self.Held.Add(ref location, value);
            _trace?.Add("  (held back)");
        }
        else
        {
            location = value;
        }

        self.Looks.Clear();
    }

    /// <summary>A full fence: what the current thread has stored is seen by all.</summary>
    public void LandAll() => LandAll(t_self!);

    private void LandAll(ModelThread thread)
    {
        while (thread.Held.Any)
        {
            Land(thread);
        }
    }

    private void Land(ModelThread thread)
    {
        if (!thread.Held.TryLandOne(out _landedAt))
        {
            ThrowMoved();
        }

        foreach (ModelThread other in _threads)
        {
            other.Held.WereMissed |= !ReferenceEquals(other, thread) && other.Held.AreAt(_landedAt);
        }

        if (!thread.Held.Any)
        {
            if (!thread.Held.WereMissed && !_bounds.LandsAnywhere)
            {
                _script.Cut();
            }

            thread.Held.WereMissed = false;
        }

        _trace?.Add($"  (the store held back by {thread.Name} is seen)");
    }

    private bool IsOutdated(List<Look> looks)
    {
        if (looks.Count == 0)
        {
            return true;
        }

        bool isOutdated = looks.Exists(look => look.IsOutdated(_collections));
        ThrowIfMoved();
        return isOutdated;
    }

    private (ModelThread Thread, Place Place) PlaceOf<T>(ref readonly T location)
    {
        Place place = Place.Of(in location);
        ThrowIfMoved();
        return (t_self!, place);
    }

    private void ThrowIfMoved()
    {
        if (GC.CollectionCount(0) != _collections)
        {
            ThrowMoved();
        }
    }

    private void ThrowMoved()
    {
        WasDisturbed = true;
        throw Abort(new ExplorerException("The garbage collector has moved what a held store was for."));
    }

    private void Wait(ModelThread self, string what, Func<bool> condition)
    {
        self.Doing = what;
        self.GoesOnWhen = condition;
        HandOn(self, isFree: true);
        self.GoesOnWhen = null;
        LandAll(self); // and not before: others may have come first
        _trace?.Add($"{self.Index} {self.Name}: {what}");
    }

    private void HandOn(ModelThread self, bool isFree)
    {
        if (_aborting)
        {
            throw Unwind();
        }

        if (++_steps > _bounds.MostSteps)
        {
            throw Abort(new BrokenModelException($"Livelock: {_bounds.MostSteps} steps were made and it goes on. {Describe()}"));
        }

        ModelThread next = Decide(self, isFree);
        if (!ReferenceEquals(next, self))
        {
            next.Hand.Go();
            self.Hand.WaitForTurn();
            if (_aborting)
            {
                throw Unwind();
            }
        }
    }

    private void Play(ModelThread self)
    {
        t_self = self;
        t_run = this;
        try
        {
            if (!_aborting)
            {
                _trace?.Add($"{self.Index} {self.Name}: begins");
                self.Body();
                self.HasEnded = true;
                self.Doing = "has ended";
                if (!Array.TrueForAll(_threads, static thread => thread.HasEnded))
                {
                    Decide(self, isFree: true).Hand.Go();
                }
                else
                {
                    Array.ForEach(_threads, LandAll);
                }
            }
        }
        catch (Exception error)
        {
            Abort(error);
        }

        self.HasEnded = true;
        t_run = null;
        t_self = null;
        EndWork();
    }

    // Also code that swallows what is thrown, as a task does, does not get on after this.
    private RunAbortedException Abort(Exception error)
    {
        if (!_aborting)
        {
            Failure = error;
            _aborting = true;
            foreach (ModelThread thread in _threads)
            {
                if (!thread.HasEnded && !ReferenceEquals(thread, t_self))
                {
                    thread.Hand.Go();
                }
            }
        }

        return Unwind();
    }

    // Through code that keeps exceptions for elsewhere there is no way out: such a thread stays where it is, for ever.
    private RunAbortedException Unwind()
    {
        if (t_self?.CannotUnwind == true)
        {
            EndWork();
            using var never = new ManualResetEventSlim();
            never.Wait(CancellationToken.None);
        }

        return new RunAbortedException();
    }

    private void EndWork()
    {
        if (Interlocked.Decrement(ref _working) == 0)
        {
            _over.Set();
        }
    }

    private string Describe() => string.Join("; ", _threads.Select(static thread => $"{thread.Name}: {thread.Doing}"));

    /// <summary>Unwinds a thread of a run that is over.</summary>
    private sealed class RunAbortedException : Exception;
}

/// <summary>The model does not hold, and no assertion of its own says so.</summary>
internal sealed class BrokenModelException(string message) : Exception(message);

/// <summary>The model cannot be explored.</summary>
internal sealed class ExplorerException(string message) : Exception(message);

/// <summary>How far an exploration goes.</summary>
/// <param name="Budget">How many times in one interleaving the turn is taken from a thread that could go on, or a store is held back.</param>
internal sealed record Bounds(int Budget)
{
    public bool HoldsStores { get; init; } = true;

    /// <summary>Whether what is held back may land before any step, and not only before those that meet it: many interleavings more, and nothing that comes of them. For a test that says so.</summary>
    public bool LandsAnywhere { get; init; }

    /// <summary>A run of more steps than this goes on for ever.</summary>
    public int MostSteps { get; init; } = 2_000;

    /// <summary>How long the machine may take for one step.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
}
