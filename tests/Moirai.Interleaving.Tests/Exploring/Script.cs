using System.Text;

namespace Moirai.Interleaving.Exploring;

/// <summary>The choices of one interleaving, and the way to the next one: a depth-first walk with a budget.</summary>
/// <remarks>
/// A choice is a character: a digit, the thread that makes its next step; a letter from 'A' on, the oldest store held back of thread 0, 1, … is seen by all from now on; for a store '.', it is seen
/// at once, and 'h', it is held back. The first option is the usual one and costs nothing. What costs is to take the processor from a thread that could go on, and to hold a store back.
/// </remarks>
internal sealed class Script
{
    private readonly List<Node> _path = [];
    private readonly StringBuilder _text = new();
    private readonly string? _given;
    private readonly int _budget;
    private int _at;
    private int _spent;
    private int _usual;
    private bool _isCut;

    /// <summary>Walks through everything that costs no more than <paramref name="budget"/>.</summary>
    public Script(int budget) => _budget = budget;

    /// <summary>Repeats what <see cref="Text"/> gave.</summary>
    public Script(string given) => _given = given;

    /// <summary>The choices made so far, without the usual ones at the end.</summary>
    public string Text => _text.ToString(0, _text.Length - _usual);

    public void Rewind()
    {
        _at = 0;
        _spent = 0;
        _usual = 0;
        _isCut = false;
        _text.Clear();
    }

    /// <summary>Makes a choice.</summary>
    /// <param name="options">What there is; the first costs nothing.</param>
    /// <param name="costly">How many of them, at the end, cost one each.</param>
    public char Choose(ReadOnlySpan<char> options, int costly)
    {
        char chosen = options.Length == 1 || _isCut ? options[0] : _given is null ? Walk(options, costly) : Repeat(options);
        if (options.Length > 1)
        {
            _text.Append(chosen);
            _usual = chosen == options[0] ? _usual + 1 : 0;
        }

        return chosen;
    }

    /// <summary>What follows in this interleaving follows in another too, which costs less: it goes on with the usual choices alone.</summary>
    public void Cut() => _isCut = true;

    /// <summary>Goes on to the next interleaving.</summary>
    /// <returns>False when there is none.</returns>
    public bool MoveNext()
    {
        if (_at != _path.Count)
        {
            throw new ExplorerException($"The model is not deterministic: it ended after '{_text}', and there were more choices before.");
        }

        while (_path.Count > 0)
        {
            Node last = _path[^1];
            if (last.Chosen + 1 < last.Options.Length)
            {
                _path[^1] = last with { Chosen = last.Chosen + 1 };
                return true;
            }

            _path.RemoveAt(_path.Count - 1);
        }

        return false;
    }

    private char Walk(ReadOnlySpan<char> options, int costly)
    {
        ReadOnlySpan<char> affordable = _spent < _budget ? options : options[..^costly];
        if (affordable.Length == 1)
        {
            return affordable[0];
        }

        if (_at == _path.Count)
        {
            _path.Add(new Node(affordable.ToString(), 0));
        }
        else if (!affordable.SequenceEqual(_path[_at].Options))
        {
            throw new ExplorerException($"The model is not deterministic: after '{_text}' there were the choices '{_path[_at].Options}', and now there are '{affordable}'.");
        }

        Node node = _path[_at++];
        _spent += node.Chosen >= options.Length - costly ? 1 : 0;
        return node.Options[node.Chosen];
    }

    private char Repeat(ReadOnlySpan<char> options)
    {
        if (_text.Length >= _given!.Length)
        {
            return options[0];
        }

        char given = _given[_text.Length];
        return options.Contains(given)
            ? given
            : throw new ExplorerException($"The script '{_given}' does not fit the model: at place {_text.Length} there are the choices '{options}'.");
    }

    private readonly record struct Node(string Options, int Chosen);
}
