namespace Moirai.Interleaving.Exploring;

/// <content>Who makes the next step, and which of the stores that are held back it sees.</content>
internal sealed partial class Run
{
    /// <summary>Who makes the next step, and what is seen before it.</summary>
    /// <param name="self">Who made the last; null at the beginning.</param>
    /// <param name="isFree">It gives the turn up by itself.</param>
    private ModelThread Decide(ModelThread? self, bool isFree)
    {
        ModelThread next = DecideWho(self, isFree);
        if (!_bounds.LandsAnywhere)
        {
            DecideWhatIsSeen(next);
        }

        return next;
    }

    private ModelThread DecideWho(ModelThread? self, bool isFree)
    {
        Span<char> options = stackalloc char[2 * _threads.Length];
        while (true)
        {
            bool goesOn = self is not null && !isFree && CanGoOn(self);
            int count = 0;
            int free = 1;
            if (goesOn)
            {
                options[count++] = Digit(self!);
                if (_bounds.LandsAnywhere)
                {
                    count = free = AddHolders(options, count, except: self, ofUse: false);
                }
            }

            count = AddThreads(options, count, except: self);
            if (!goesOn)
            {
                if (self is not null && CanGoOn(self))
                {
                    options[count++] = Digit(self);
                }

                free = count;
            }

            bool isStuck = count == 0;
            if (!goesOn || !_bounds.LandsAnywhere)
            {
                // Of what the last one holds back itself nothing has to land for the others: to land a moment ago was to land at once.
                count = AddHolders(options, count, except: isStuck ? null : self, ofUse: !_bounds.LandsAnywhere && !isStuck);
                free = goesOn ? free : count;
            }

            if (count == 0)
            {
                PassTime();
                continue;
            }

            char chosen = _script.Choose(options[..count], count - free);
            if (chosen < 'A')
            {
                return _threads[chosen - '0'];
            }

            ModelThread holder = _threads[chosen - 'A'];
            if (_bounds.LandsAnywhere || isStuck)
            {
                Land(holder);
            }
            else if (Release(holder) is { } released)
            {
                return released;
            }
        }
    }

    private int AddThreads(Span<char> options, int count, ModelThread? except)
    {
        foreach (ModelThread thread in _threads)
        {
            if (!ReferenceEquals(thread, except) && CanGoOn(thread))
            {
                options[count++] = Digit(thread);
            }
        }

        return count;
    }

    // Whose stores could land now. It is of use when somebody who waits goes on because of it, and the stores were missed before.
    private int AddHolders(Span<char> options, int count, ModelThread? except, bool ofUse)
    {
        foreach (ModelThread thread in _threads)
        {
            if (thread.Held.Any && !ReferenceEquals(thread, except) && (!ofUse || (thread.Held.WereMissed && Array.Exists(_threads, other => Releases(thread, other)))))
            {
                options[count++] = (char)('A' + thread.Index);
            }
        }

        return count;
    }

    private bool Releases(ModelThread holder, ModelThread waiting)
    {
        if (waiting.HasEnded || waiting.GoesOnWhen is null || waiting.Looks.Count == 0 || CanGoOn(waiting))
        {
            return false;
        }

        ThrowIfMoved();
        return holder.Held.Outdate(waiting.Looks);
    }

    // Lands stores until somebody who waited for them can go on, who does so: had others come first, the stores might have landed after them.
    private ModelThread? Release(ModelThread holder)
    {
        Span<char> options = stackalloc char[_threads.Length];
        ModelThread[] waiting = Array.FindAll(_threads, thread => Releases(holder, thread));
        while (holder.Held.Any)
        {
            Land(holder);
            int count = 0;
            foreach (ModelThread thread in waiting)
            {
                if (CanGoOn(thread))
                {
                    options[count++] = Digit(thread);
                }
            }

            if (count > 0)
            {
                return _threads[_script.Choose(options[..count], costly: 0) - '0'];
            }
        }

        return null;
    }

    /// <summary>Which of the stores that others hold back land before the next step.</summary>
    /// <remarks>
    /// When a store lands makes a difference only to who comes by its place: so this is asked only of who is about to. And the first who comes by misses what is held back: had it landed before, it
    /// might as well have been seen at once, which is another interleaving, and a cheaper one.
    /// </remarks>
    private void DecideWhatIsSeen(ModelThread next)
    {
        Span<char> options = stackalloc char[_threads.Length + 1];
        int missing = 0;
        while (true)
        {
            int count = 0;
            int met = MetBy(next);
            options[count++] = Digit(next);
            foreach (ModelThread thread in _threads)
            {
                if ((met & ~missing & (1 << thread.Index)) == 0)
                {
                    continue;
                }

                if (thread.Held.WereMissed)
                {
                    options[count++] = (char)('A' + thread.Index);
                }
                else
                {
                    missing |= 1 << thread.Index;
                }
            }

            char chosen = _script.Choose(options[..count], costly: 0);
            if (chosen < 'A')
            {
                break;
            }

            ModelThread holder = _threads[chosen - 'A'];
            do
            {
                Land(holder);
            }
            while (holder.Held.Any && !_landedAt.Equals(next.Next));
        }

        foreach (ModelThread thread in _threads)
        {
            thread.Held.WereMissed |= (missing & (1 << thread.Index)) != 0;
        }
    }

    // Whose held stores the next step meets, and those that these meet: in which order they land may matter.
    private int MetBy(ModelThread next)
    {
        int met = 0;
        bool isMore = Array.Exists(_threads, thread => thread.Held.Any && !ReferenceEquals(thread, next));
        if (isMore && next.HasMoved)
        {
            ThrowMoved();
        }

        while (isMore)
        {
            isMore = false;
            foreach (ModelThread thread in _threads)
            {
                if (thread.Held.Any && !ReferenceEquals(thread, next) && (met & (1 << thread.Index)) == 0
                    && (next.Meets(thread) || Array.Exists(_threads, other => (met & (1 << other.Index)) != 0 && other.Held.Meet(thread.Held))))
                {
                    if (thread.Held.HaveMoved)
                    {
                        ThrowMoved();
                    }

                    met |= 1 << thread.Index;
                    isMore = true;
                }
            }
        }

        return met;
    }

    private static char Digit(ModelThread thread) => (char)('0' + thread.Index);

    private static bool CanGoOn(ModelThread thread)
    {
        if (thread.HasEnded || thread.GoesOnWhen is not { } condition)
        {
            return !thread.HasEnded;
        }

        // The condition may look at what is behind the seam: such looks are no steps.
        (Run? run, t_run) = (t_run, null);
        try
        {
            return condition();
        }
        finally
        {
            t_run = run;
        }
    }

    private void PassTime()
    {
        long? next = _threads.Min(thread => thread.HasEnded ? null : thread.SleepsUntil);
        Now = next ?? throw Abort(new BrokenModelException($"Deadlock: nobody can go on. {Describe()}"));
        _trace?.Add($"  (time passes: {Now} ms)");
    }
}
