using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;

namespace Moirai.Sites;

/// <summary>The portable PDB of one assembly, embedded or beside it: tells in which line the awaits of an <c>async</c> method are.</summary>
/// <remarks>The compiler writes for each such method a record with the places in the code at which it suspends, in the order of the numbers that the state machine keeps: the "async method stepping information" of the
/// format's specification. The line is that of the last visible sequence point at or before the place.</remarks>
internal sealed class SymbolFile
{
    private static readonly Guid s_steppingKind = new("54FD2AC5-E925-401A-9C2A-F94F171072F8");
    private static readonly ConditionalWeakTable<Assembly, SymbolFile> s_known = new();

    // A reader is safe from several threads; the memory behind it lives as long as this provider.
    private readonly MetadataReaderProvider? _provider;

    private SymbolFile(MetadataReaderProvider? provider) => _provider = provider;

    /// <summary>The PDB of an assembly; null when there is none that fits.</summary>
    internal static SymbolFile? Of(Assembly assembly) =>
        s_known.GetValue(assembly, Open) is { _provider: not null } file ? file : null;

    /// <summary>The awaits of an async method by their numbers, as <c>file:line</c>.</summary>
    /// <param name="moveNext">The method of the state machine.</param>
    internal string?[]? AwaitsOf(MethodInfo moveNext)
    {
        try
        {
            var method = (MethodDefinitionHandle)MetadataTokens.EntityHandle(moveNext.MetadataToken);
            MetadataReader reader = _provider!.GetMetadataReader();
            foreach (CustomDebugInformationHandle handle in reader.GetCustomDebugInformation(method))
            {
                CustomDebugInformation information = reader.GetCustomDebugInformation(handle);
                if (reader.GetGuid(information.Kind) == s_steppingKind)
                {
                    return Lines(reader, method, Offsets(reader.GetBlobReader(information.Value)));
                }
            }
        }
        catch (Exception unreadable) when (unreadable is BadImageFormatException or InvalidOperationException or ArgumentException or InvalidCastException)
        {
            return null; // no line is told, as without a PDB
        }

        return null;
    }

    // The offset of the catch handler; then for each await where it suspends, where it resumes, and in which method.
    private static List<int> Offsets(BlobReader blob)
    {
        List<int> offsets = [];
        _ = blob.ReadUInt32();
        while (blob.RemainingBytes > 0)
        {
            offsets.Add((int)blob.ReadUInt32());
            _ = blob.ReadUInt32();
            _ = blob.ReadCompressedInteger();
        }

        return offsets;
    }

    private static string?[] Lines(MetadataReader reader, MethodDefinitionHandle method, List<int> offsets)
    {
        var lines = new string?[offsets.Count];
        var best = new int[offsets.Count];
        Array.Fill(best, -1);
        foreach (SequencePoint point in reader.GetMethodDebugInformation(method).GetSequencePoints())
        {
            if (point.IsHidden)
            {
                continue;
            }

            for (int i = 0; i < lines.Length; i++)
            {
                if (point.Offset <= offsets[i] && point.Offset > best[i])
                {
                    best[i] = point.Offset;
                    lines[i] = string.Create(CultureInfo.InvariantCulture, $"{FileName(reader.GetString(reader.GetDocument(point.Document).Name))}:{point.StartLine}");
                }
            }
        }

        return lines;
    }

    // Built on one system and run on another.
    private static string FileName(string path) => path[(path.LastIndexOfAny(['/', '\\']) + 1)..];

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "In a single file the place is empty: then there are no lines, and the snapshot says so.")]
    private static SymbolFile Open(Assembly assembly)
    {
        string path = assembly.IsDynamic ? string.Empty : assembly.Location;
        if (path.Length == 0)
        {
            return new SymbolFile(null);
        }

        try
        {
            // Read whole and closed at once: the file can be replaced or deleted afterwards.
            using var image = new PEReader(ImmutableArray.Create(File.ReadAllBytes(path)));
            if (image.TryOpenAssociatedPortablePdb(path, static path => File.Exists(path) ? new MemoryStream(File.ReadAllBytes(path)) : null, out MetadataReaderProvider? provider, out _) && provider is not null)
            {
                _ = provider.GetMetadataReader(); // reads all of it
                return new SymbolFile(provider);
            }
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or BadImageFormatException or InvalidOperationException or NotSupportedException)
        {
            // As without a PDB: the methods are told without lines.
        }

        return new SymbolFile(null);
    }
}
