using System.Buffers.Binary;
using System.Text;

namespace Moirai.Tool.Connecting;

/// <summary>Takes an event of the source that the session is about. What lies in <paramref name="payload"/> is only there during the call.</summary>
/// <param name="id">The number of the event.</param>
/// <param name="payload">Its arguments, one after the other.</param>
internal delegate void TakeEvent(int id, ReadOnlySpan<byte> payload);

/// <summary>Reads the stream of a diagnostic session (the format "Nettrace", version 4), as it arrives.</summary>
/// <remarks>
/// Only what we need of it: which event, and its arguments. Stacks, threads, activities and times are stepped over, and so are kinds of blocks that we do not know.
/// A reader of our own, because the general one starts slower than a whole dump takes and holds events back until later ones have arrived (decision 0036).
/// </remarks>
internal sealed class NettraceReader(Stream stream, string provider, TakeEvent take)
{
    // Tags of the objects in the stream.
    private const byte End = 1;
    private const byte BeginObject = 5;
    private const byte EndObject = 6;

    private const int LargestBlock = 256 * 1024 * 1024;

    private readonly Dictionary<int, int> _eventIds = [];
    private readonly byte[] _small = new byte[8];
    private byte[] _block = [];
    private long _position;

    /// <summary>Reads to the end of the session.</summary>
    /// <exception cref="InvalidDataException">It is no such stream.</exception>
    /// <exception cref="EndOfStreamException">It broke off: the process ended.</exception>
    public void Run()
    {
        if (ReadText(8) != "Nettrace" || ReadText(ReadInt32()) != "!FastSerialization.1")
        {
            throw new InvalidDataException("The process sends a stream of events that this tool cannot read.");
        }

        while (true)
        {
            byte tag = ReadByte();
            if (tag == End)
            {
                return;
            }

            Expect(tag, BeginObject);
            ReadObject();
        }
    }

    private void ReadObject()
    {
        Expect(ReadByte(), BeginObject); // the object that says of which type the other is
        ReadByte();
        ReadInt32(); // version
        ReadInt32(); // the oldest reader that can read it
        string type = ReadText(ReadInt32());
        Expect(ReadByte(), EndObject);
        if (type == "Trace")
        {
            Fill(48);
        }
        else
        {
            int size = ReadInt32();
            Fill((int)(-_position & 3)); // blocks are aligned
            Fill(size);
            ReadOnlySpan<byte> block = _block.AsSpan(0, size);
            if (type == "MetadataBlock")
            {
                ReadEvents(block, isMetadata: true);
            }
            else if (type == "EventBlock")
            {
                ReadEvents(block, isMetadata: false);
            }
        }

        Expect(ReadByte(), EndObject);
    }

    private void ReadEvents(ReadOnlySpan<byte> block, bool isMetadata)
    {
        int headerSize = BinaryPrimitives.ReadInt16LittleEndian(block);
        bool isCompressed = (BinaryPrimitives.ReadInt16LittleEndian(block[2..]) & 1) != 0;
        if (!isCompressed)
        {
            throw new InvalidDataException("The process sends events in a form that this tool cannot read.");
        }

        var at = new Cursor(block[headerSize..]);
        int metadata = 0;
        int size = 0;
        while (!at.IsAtEnd)
        {
            // What is not said is as in the event before.
            byte said = at.Byte();
            if ((said & 1) != 0)
            {
                metadata = (int)at.Varying();
            }

            if ((said & 2) != 0)
            {
                at.Varying(); // sequence number
                at.Varying(); // thread
                at.Varying(); // processor
            }

            if ((said & 4) != 0)
            {
                at.Varying(); // thread
            }

            if ((said & 8) != 0)
            {
                at.Varying(); // stack
            }

            at.Varying(); // time
            at.Skip(((said & 16) != 0 ? 16 : 0) + ((said & 32) != 0 ? 16 : 0)); // activities
            if ((said & 128) != 0)
            {
                size = (int)at.Varying();
            }

            ReadOnlySpan<byte> payload = at.Take(size);
            if (isMetadata)
            {
                Learn(payload);
            }
            else if (_eventIds.TryGetValue(metadata, out int id))
            {
                take(id, payload);
            }
        }
    }

    // What number in this stream stands for which event.
    private void Learn(ReadOnlySpan<byte> payload)
    {
        var at = new Cursor(payload);
        int metadata = at.Int32();
        if (at.Text() == provider)
        {
            _eventIds[metadata] = at.Int32();
        }
    }

    private static void Expect(byte tag, byte expected)
    {
        if (tag != expected)
        {
            throw new InvalidDataException($"The stream of events is damaged: {tag} where {expected} was expected.");
        }
    }

    private string ReadText(int length)
    {
        Fill(length is >= 0 and < 1024 ? length : throw new InvalidDataException("The stream of events is damaged: a name is too long."));
        return Encoding.ASCII.GetString(_block, 0, length);
    }

    private int ReadInt32()
    {
        Read(_small.AsSpan(0, 4));
        return BinaryPrimitives.ReadInt32LittleEndian(_small);
    }

    private byte ReadByte()
    {
        Read(_small.AsSpan(0, 1));
        return _small[0];
    }

    private void Fill(int size)
    {
        if (size is < 0 or > LargestBlock)
        {
            throw new InvalidDataException($"The stream of events is damaged: a block of {size} bytes.");
        }

        if (_block.Length < size)
        {
            _block = new byte[Math.Max(size, 64 * 1024)];
        }

        Read(_block.AsSpan(0, size));
    }

    private void Read(Span<byte> into)
    {
        stream.ReadExactly(into);
        _position += into.Length;
    }
}

/// <summary>Reads one value after the other.</summary>
internal ref struct Cursor(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    /// <summary>A number of which each byte holds seven bits, the lowest first.</summary>
    public ulong Varying()
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = Byte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }

            if (shift > 56)
            {
                throw new InvalidDataException("The stream of events is damaged: a number without an end.");
            }
        }
    }

    /// <summary>A text that ends with a zero.</summary>
    public string Text()
    {
        int length = 0;
        while (BinaryPrimitives.ReadInt16LittleEndian(_rest[length..]) != 0)
        {
            length += 2;
        }

        string text = Encoding.Unicode.GetString(Take(length));
        Skip(2);
        return text;
    }

    public void Skip(int count) => Take(count);

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _rest.Length)
        {
            throw new InvalidDataException("The stream of events is damaged: an event is longer than its block.");
        }

        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
