namespace Moirai.Interleaving.Exploring;

/// <summary>The machine's threads that play the threads of models, run after run. One of them works at any time.</summary>
internal sealed class Crew : IDisposable
{
    private readonly List<Hand> _hands = [];
    private readonly OneProcessor _processor = new();

    public Hand this[int index]
    {
        get
        {
            while (_hands.Count <= index)
            {
                _hands.Add(new Hand(_hands.Count, _processor));
            }

            return _hands[index];
        }
    }

    /// <summary>Lets the threads end.</summary>
    public void Dispose()
    {
        foreach (Hand hand in _hands)
        {
            hand.Task = null;
            hand.Go();
        }

        _processor.Dispose();
    }

    /// <summary>One thread of the machine.</summary>
    internal sealed class Hand
    {
        private readonly object _bed = new();
        private readonly OneProcessor _processor;

        // Under the lock.
        private bool _hasTurn;

        public Hand(int number, OneProcessor processor)
        {
            _processor = processor;
            var thread = new Thread(Work) { IsBackground = true, Name = $"explored thread {number}" };
            thread.UnsafeStart();
        }

        /// <summary>What it does at its first turn in a run. Set before that; null: it ends.</summary>
        public Action? Task { get; set; }

        /// <summary>Gives it the turn.</summary>
        public void Go()
        {
            lock (_bed)
            {
                _hasTurn = true;
                Monitor.Pulse(_bed);
            }
        }

        /// <summary>Waits for its next turn. Called on the thread itself. Without spinning: the one who has the turn may need this processor.</summary>
        public void WaitForTurn()
        {
            lock (_bed)
            {
                while (!_hasTurn)
                {
                    Monitor.Wait(_bed);
                }

                _hasTurn = false;
            }
        }

        private void Work()
        {
            _processor.Bind();
            while (true)
            {
                WaitForTurn();
                if (Task is not { } task)
                {
                    return;
                }

                task();
            }
        }
    }
}
